import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRedisAddress } from './redis-address.ts';
import { redisTrouble } from './redis-trouble.ts';

describe('the address of a Redis', () => {
  test.each([
    [
      'redis://h',
      {
        host: 'h',
        port: 6379,
        tls: false,
        database: 0,
        username: undefined,
        password: undefined,
        shown: 'redis://h:6379',
      },
    ],
    [
      'rediss://me:p%40ss@h.example:6380/3',
      {
        host: 'h.example',
        port: 6380,
        tls: true,
        database: 3,
        username: 'me',
        password: 'p@ss',
        shown: 'rediss://h.example:6380/3',
      },
    ],
    [
      'redis://:geheim@[::1]:1/',
      {
        host: '::1',
        port: 1,
        tls: false,
        database: 0,
        username: undefined,
        password: 'geheim',
        shown: 'redis://[::1]:1',
      },
    ],
  ])('%s', (text, address) => {
    expect(parseRedisAddress(text)).toEqual(address);
  });

  test('a password beside the address is for one that has none', () => {
    expect(parseRedisAddress('redis://h', 'beside').password).toBe('beside');
    expect(parseRedisAddress('redis://:inside@h', 'beside').password).toBe('inside');
    expect(parseRedisAddress('redis://h', '').password).toBeUndefined();
  });

  test.each([
    '',
    'h:6379',
    'http://:geheim@h',
    'redis://',
    'redis://:geheim@h/x',
    'redis://:geheim@h/99999',
    'redis://:geheim@h/0?a=b',
    'redis://:%zz-geheim@h',
  ])('%j is refused, without its password', (text) => {
    expect(() => parseRedisAddress(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => parseRedisAddress(text)).not.toThrow(/geheim/);
  });

  test('whatever the password, what is shown does not have it', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 40 }), (word) => {
        const secret = `geheim-${word}`;
        const address = parseRedisAddress(`redis://u:${encodeURIComponent(secret)}@host:1`);
        expect(address.password).toBe(secret);
        expect(address.shown).toBe('redis://host:1');
      }),
    );
  });
});

describe('what a Redis says', () => {
  test.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", /is full \(maxmemory\)/],
    ['WRONGPASS invalid username-password pair or user is disabled.', /does not let us in/],
    ['NOPERM this user has no permissions to run the command', /does not let us in/],
    ['MISCONF Redis is configured to save RDB snapshots, but ...', /takes no writes/],
    ["READONLY You can't write against a read only replica.", /read-only copy/],
    ['self-signed certificate', /TLS/],
    ["ERR unknown command 'getex'", /too old/],
    ['something else', /failed: something else/],
  ])('%s', (reply, message) => {
    const trouble = redisTrouble(new Error(reply), 'redis://h:1');
    expect(trouble).toMatchObject({ code: 'REDIS_FAILED', message: expect.stringMatching(message) });
    expect(trouble.hint).not.toBe('');
  });
});
