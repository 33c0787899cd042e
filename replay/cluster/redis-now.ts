import type { RedisLink } from './redis-link.ts';

/** The Redis's own clock, in ms: machines need not agree on theirs. */
export async function redisNow(link: RedisLink): Promise<number> {
  const [seconds, microseconds] = await link.guard(link.redis.time());
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}
