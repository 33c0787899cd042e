import { request } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from '@msgpack/msgpack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IorrError } from '../../traces/errors.ts';
import { runCommand } from '../../traces/testing/recorded-io.ts';
import { viewCommand } from '../view-command.ts';
import { SEGMENT, writeSmallTrace } from './fixtures/small-trace.ts';
import type { EventMessage, RowsMessage, WindowMessage } from './view-messages.ts';
import { serveView } from './view-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'iorr-view-'));
const file = join(folder, 'small.iorr');
const stop = new AbortController();
let url: URL;
let ended: ReturnType<typeof runCommand>;

interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: unknown };
  readonly body: Buffer;
}

function ask(path: string, headers: { readonly [name: string]: string } = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: url.hostname, port: url.port, path, method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** Starts the command and waits for the address that it prints. */
async function started(): Promise<URL> {
  const printed = await new Promise<string>((resolve, reject) => {
    const io = { out: (text: string | Uint8Array) => resolve(String(text)) };
    ended = runCommand(
      { ...viewCommand, run: (invocation) => viewCommand.run({ ...invocation, io: { ...invocation.io, ...io } }) },
      [file],
      {},
      stop.signal,
    );
    ended.catch(reject);
  });
  expect(printed).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\/\n$/);
  return new URL(printed.trim());
}

beforeAll(async () => {
  writeSmallTrace(file, 20, 'a mark');
  url = await started();
});
afterAll(() => {
  stop.abort();
  rmSync(folder, { recursive: true });
});

describe('the server of a view', () => {
  test('gives the page with a policy that lets it ask nobody else', async () => {
    const { status, headers, body } = await ask(url.pathname);
    expect(status).toBe(200);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*|data:|blob:/);
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(headers['access-control-allow-origin']).toBeUndefined();
    expect(body.toString()).toContain('2\u202f000 events');
  });

  test.each([
    ['no token', '/'],
    ['a page of browsers', '/favicon.ico'],
    ['a wrong token', `/${'0'.repeat(32)}/`],
    ['a longer token', '/TOKEN0/'],
    ['a part of the token', '/HALF/window'],
    ['a way up', '/../../../../etc/passwd'],
    ['an encoded way up', '/%2e%2e%2f%2e%2e%2fetc%2fpasswd'],
  ])('refuses %s', async (_, path) => {
    const token = url.pathname.split('/')[1] ?? '';
    const { status, body } = await ask(path.replace('TOKEN', token).replace('HALF', token.slice(0, 16)));
    expect(status).toBe(403);
    expect(body.toString()).not.toContain('root:');
  });

  test.each([
    'nothing',
    '../../etc/passwd',
    '%2e%2e/%2e%2e/etc/passwd',
    'window/../../etc/passwd',
    'constructor',
    'small.iorr',
  ])('has no %s, and reads no file of that name', async (path) => {
    const { status, body } = await ask(`${url.pathname}${path}`);
    expect(status).toBe(404);
    expect(body.toString()).toBe('there is nothing of this name\n');
  });

  test('is not fooled by a name that was made to lead here, nor asked by another page', async () => {
    for (const host of ['evil.example', `evil.example:${url.port}`, '127.0.0.1', `127.0.0.1:${Number(url.port) + 1}`]) {
      expect([host, (await ask(url.pathname, { Host: host })).status]).toEqual([host, 403]);
    }
    expect((await ask(url.pathname, { Host: `localhost:${url.port}` })).status).toBe(200);
    expect((await ask(url.pathname, { 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403);
    expect((await ask(url.pathname, { 'Sec-Fetch-Site': 'same-origin' })).status).toBe(200);
  });

  test.each(['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'])('does not answer %s', async (method) => {
    const { status, headers } = await ask(url.pathname, {}, method);
    expect([status, headers['allow']]).toEqual([405, 'GET']);
  });

  test('answers with windows, rows and events of the trace', async () => {
    const all = decode((await ask(`${url.pathname}window`)).body) as WindowMessage;
    expect(all.streams.map(({ name }) => name)).toEqual(['map', 'unmap', 'dma', 'mark']);
    const some = decode((await ask(`${url.pathname}window?from=0&to=500000&bins=50`)).body) as WindowMessage;
    expect([some.bins, some.decoded, some.firstEvent, some.endEvent]).toEqual([50, 1, 0, 51]);
    const { rows } = decode((await ask(`${url.pathname}rows?from=${SEGMENT}&count=3`)).body) as RowsMessage;
    expect(rows.map(([event]) => event)).toEqual([100, 101, 102]);
    const place = decode((await ask(`${url.pathname}event?n=101`)).body) as EventMessage;
    expect([place.event, place.t]).toEqual([101, 1_010_000]);
    expect((await ask(`${url.pathname}event?n=99999`)).status).toBe(404);
  });

  test.each([
    'window?from=x&to=NaN&bins=1e99',
    'window?from=-1e308&to=1e308',
    'rows?from=-5&count=1e9',
    'event?n=',
    'rows',
  ])('stays small and whole when asked %s', async (path) => {
    const { status, body } = await ask(`${url.pathname}${path}`);
    expect(status).toBe(200);
    expect(body.length).toBeLessThan(400_000);
  });

  test('several look at once, each with their own window', async () => {
    const windows = await Promise.all(
      Array.from({ length: 20 }, (_, i) => ask(`${url.pathname}window?from=${i * 1e6}&to=${i * 1e6 + 5e5}&bins=10`)),
    );
    const first = windows.map(({ body }) => (decode(body) as WindowMessage).firstEvent);
    expect(first).toEqual(Array.from({ length: 20 }, (_, i) => i * 100));
  });

  test('a port that is taken is named', async () => {
    const content = { page: '', policy: '', data: {} };
    const taken = serveView(content, { host: '127.0.0.1', port: Number(url.port) });
    await expect(taken).rejects.toThrow(IorrError);
    await expect(taken).rejects.toThrow(`--port ${url.port}: something else listens there`);
  });

  test('has another address each time, and ::1 where it is asked for', async () => {
    const content = { page: 'one', policy: '', data: {} };
    const [a, b] = [
      await serveView(content, { host: '::1', port: 0 }),
      await serveView(content, { host: '::1', port: 0 }),
    ];
    expect(a.url).toMatch(/^http:\/\/\[::1\]:\d+\/[0-9a-f]{32}\/$/);
    expect(new URL(a.url).pathname).not.toBe(new URL(b.url).pathname);
    expect(await (await fetch(a.url)).text()).toBe('one');
    await a.close();
    await b.close();
    await expect(fetch(a.url)).rejects.toThrow('fetch failed');
  });
});

describe('iorr view', () => {
  test('refuses a port that is none before it reads anything', async () => {
    for (const port of ['0', '-1', '65536', 'http']) {
      await expect(runCommand(viewCommand, ['missing.iorr'], { port })).rejects.toThrow(`found "${port}"`);
    }
    await expect(runCommand(viewCommand, [])).rejects.toThrow('a trace expected');
    await expect(runCommand(viewCommand, ['missing.iorr'])).rejects.toThrow('no such file');
  });

  test('ends with 130 when it is interrupted, and nobody answers any more', async () => {
    stop.abort();
    const { code, out, err } = await ended;
    expect([code, out]).toEqual([130, '']);
    expect(err).toContain('2\u202f000 events');
    await expect(ask(url.pathname)).rejects.toThrow('ECONNREFUSED');
  });
});
