import { IorrError } from '../../traces/errors.ts';

/** Where a Redis is, and how to be let in. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** Number of the database. */
  readonly database: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** For messages: the address without what lets one in. */
  readonly shown: string;
}

const DEFAULT_PORT = 6379;
const MOST_DATABASES = 65_536;
const EXAMPLE = 'redis://HOST:6379, or rediss://USER:PASSWORD@HOST:6379/0 with TLS';

function refusal(message: string): IorrError {
  return new IorrError('USAGE', message, { hint: `an address is ${EXAMPLE}` });
}

/**
 * Reads `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`; `rediss:` is TLS. `password` is used where the address has none. Throws
 * `USAGE` without repeating the text: it may hold a password.
 */
export function parseRedisAddress(text: string, password?: string): RedisAddress {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refusal('the address of the Redis is no URL');
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw refusal(`the address of the Redis begins with ${url.protocol}; redis: or rediss: expected`);
  }
  if (url.hostname === '') throw refusal('the address of the Redis names no host');
  if (url.search !== '' || url.hash !== '') throw refusal('the address of the Redis has something behind its database');
  const database = url.pathname.length > 1 ? url.pathname.slice(1) : '0';
  if (!/^\d{1,5}$/.test(database) || Number(database) >= MOST_DATABASES) {
    throw refusal('the database in the address of the Redis is no number');
  }
  // [::1] in a URL, ::1 to connect to
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  return {
    host,
    port,
    tls: url.protocol === 'rediss:',
    database: Number(database),
    username: url.username === '' ? undefined : plain(url.username),
    password: url.password === '' ? (password === '' ? undefined : password) : plain(url.password),
    shown: `${url.protocol}//${url.hostname}:${port}${database === '0' ? '' : `/${database}`}`,
  };
}

function plain(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw refusal('user or password in the address of the Redis: a % that begins no code (write it as %25)');
  }
}
