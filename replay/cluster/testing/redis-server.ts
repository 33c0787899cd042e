import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseRedisAddress } from '../redis-address.ts';
import type { RedisAddress } from '../redis-address.ts';
import { connectRedis } from '../redis-link.ts';
import type { RedisLink } from '../redis-link.ts';

/** Files for a second port, with TLS. */
export interface TlsFiles {
  readonly key: string;
  readonly certificate: string;
}

/** A Redis of a test's own: a random port of this machine, a random password, what it keeps in a folder that goes with it. */
export class TestRedis {
  readonly url: string;
  readonly password: string;
  readonly address: RedisAddress;
  readonly #port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'iorr-redis-'));
  #process: ChildProcess | undefined;

  readonly #tls: (TlsFiles & { readonly port: number }) | undefined;

  private constructor(port: number, tls: (TlsFiles & { readonly port: number }) | undefined) {
    this.#port = port;
    this.#tls = tls;
    this.password = randomBytes(12).toString('hex');
    this.url = `redis://:${this.password}@127.0.0.1:${port}`;
    this.address = parseRedisAddress(this.url);
  }

  static async start(tls?: TlsFiles): Promise<TestRedis> {
    const redis = new TestRedis(await freePort(), tls === undefined ? undefined : { ...tls, port: await freePort() });
    await redis.begin();
    return redis;
  }

  get tlsUrl(): string {
    return `rediss://:${this.password}@localhost:${this.#tls?.port}`;
  }

  /** Starts it (again), with what it kept. */
  async begin(): Promise<void> {
    const settings = {
      port: String(this.#port),
      bind: '127.0.0.1',
      requirepass: this.password,
      dir: this.#folder,
      appendonly: 'yes',
      save: '',
      ...(this.#tls === undefined
        ? {}
        : {
            'tls-port': String(this.#tls.port),
            'tls-key-file': this.#tls.key,
            'tls-cert-file': this.#tls.certificate,
            'tls-auth-clients': 'no',
          }),
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const child = spawn('redis-server', args, { stdio: 'ignore' });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', resolve);
    });
    for (let attempt = 0; ; attempt++) {
      try {
        (await this.link()).close();
        return;
      } catch (error) {
        if (attempt > 20 || child.exitCode !== null) throw error;
        await pause(100);
      }
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Ends it without a word; what it wrote stays. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => {
      child.once('exit', resolve);
    });
    child.kill('SIGKILL');
    await gone;
  }

  async link(patienceMs = 20_000): Promise<RedisLink> {
    return connectRedis(this.address, patienceMs);
  }

  /** Keys that are there, sorted. */
  async keys(): Promise<readonly string[]> {
    const link = await this.link();
    try {
      return (await link.redis.keys('*')).sort();
    } finally {
      link.close();
    }
  }

  async clear(): Promise<void> {
    const link = await this.link();
    await link.redis.flushall();
    link.close();
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
