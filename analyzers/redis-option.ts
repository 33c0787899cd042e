import { connectRedis } from '../replay/cluster/redis-link.ts';
import type { RedisLink } from '../replay/cluster/redis-link.ts';
import { parseRedisAddress } from '../replay/cluster/redis-address.ts';
import type { CommandInvocation, CommandOption } from '../traces/command.ts';
import { IorrError } from '../traces/errors.ts';

const WAIT_SECONDS = 60;
const MOST_WAIT_SECONDS = 86_400;

/** For commands that work with others over a Redis. */
export const REDIS_OPTIONS: readonly CommandOption[] = [
  {
    flags: '--redis <url>',
    description:
      'redis://HOST:6379, with TLS rediss://USER:PASSWORD@HOST; a password may stand in IORR_REDIS_PASSWORD instead',
  },
  {
    flags: '--redis-wait <seconds>',
    description: 'how long a Redis that is gone is waited for',
    default: String(WAIT_SECONDS),
  },
];

/** Connects to the Redis that was named; undefined where none was. Throws `USAGE`, `REDIS_FAILED`, `PACKAGE_MISSING`. */
export async function redisOption(options: CommandInvocation['options']): Promise<RedisLink | undefined> {
  const text = options['redis'];
  if (typeof text !== 'string') return undefined;
  const given = options['redisWait'];
  const wait = typeof given === 'string' ? given : String(WAIT_SECONDS);
  if (!/^\d+$/.test(wait) || Number(wait) < 1 || Number(wait) > MOST_WAIT_SECONDS) {
    throw new IorrError('USAGE', `--redis-wait ${wait}: a whole number from 1 to ${MOST_WAIT_SECONDS} expected`);
  }
  const address = parseRedisAddress(text, process.env['IORR_REDIS_PASSWORD']);
  return connectRedis(address, Number(wait) * 1000);
}
