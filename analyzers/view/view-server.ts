import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encode } from '@msgpack/msgpack';
import { IorrError } from '../../traces/errors.ts';

/** A page and the data that it asks for, by the last part of the address. */
export interface ViewContent {
  readonly page: string;
  /** Its Content-Security-Policy. */
  readonly policy: string;
  readonly data: { readonly [name: string]: (query: URLSearchParams) => object | undefined };
}

export interface RunningView {
  readonly url: string;
  close(): Promise<void>;
}

/** 128 bits: nobody guesses it, and no other page of the browser learns it. */
const TOKEN_BYTES = 16;
const MOST_CONNECTIONS = 64;

const HEADERS = {
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
} as const;

/** Takes as long for a wrong token as for the right one. */
function sameToken(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Whether a request may be answered: asked under a name of this machine (a foreign name that was made to lead here is refused),
 * and not by another site's page.
 */
function isOwn({ headers }: IncomingMessage, port: number): boolean {
  const names = [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`];
  const site = headers['sec-fetch-site'];
  return names.includes(headers.host ?? '') && (site === undefined || site === 'same-origin' || site === 'none');
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...HEADERS, 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}

function respond(
  request: IncomingMessage,
  response: ServerResponse,
  content: ViewContent,
  token: string,
  port: number,
): void {
  if (!isOwn(request, port)) return answer(response, 403, 'refused: asked under another name, or by another page');
  if (request.method !== 'GET') {
    response.setHeader('Allow', 'GET');
    return answer(response, 405, 'only GET is answered');
  }
  // only compared and looked up: no part of it ever names a file
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  const [, given = '', name = '', ...more] = path.split('/');
  if (!sameToken(given, token)) return answer(response, 403, 'refused: use the address that iorr view printed');
  if (more.length === 0 && name === '') {
    const headers = {
      ...HEADERS,
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': content.policy,
    };
    response.writeHead(200, headers);
    response.end(content.page);
    return;
  }
  const data = more.length === 0 && Object.hasOwn(content.data, name) ? content.data[name] : undefined;
  if (data === undefined) return answer(response, 404, 'there is nothing of this name');
  const found = data(new URLSearchParams(query));
  if (found === undefined) return answer(response, 404, 'the trace has no such place');
  response.writeHead(200, { ...HEADERS, 'Content-Type': 'application/vnd.msgpack' });
  response.end(encode(found));
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const code = (error as { code?: unknown }).code;
      const why = code === 'EADDRINUSE' ? 'something else listens there' : error.message;
      reject(
        new IorrError('USAGE', `--port ${port}: ${why}`, {
          hint: 'leave --port out: a free one is taken',
          cause: error,
        }),
      );
    });
    server.listen({ host, port, exclusive: true }, () => resolve((server.address() as AddressInfo).port));
  });
}

/** Serves a view to this machine alone, until it is closed. Throws `USAGE` where the port can't be had. */
export async function serveView(
  content: ViewContent,
  { host, port }: { readonly host: '127.0.0.1' | '::1'; readonly port: number },
): Promise<RunningView> {
  const token = randomBytes(TOKEN_BYTES).toString('hex');
  let bound = 0;
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
    try {
      respond(request, response, content, token, bound);
    } catch (error) {
      answer(response, 500, error instanceof IorrError ? error.message : 'it could not be read');
    }
  });
  server.maxConnections = MOST_CONNECTIONS;
  bound = await listen(server, host, port);
  return {
    url: `http://${host === '::1' ? '[::1]' : host}:${bound}/${token}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
