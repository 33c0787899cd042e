import { spawnSync } from 'node:child_process';
import type { SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRedisAddress } from './redis-address.ts';
import { connectRedis } from './redis-link.ts';
import { TestRedis } from './testing/redis-server.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'iorr-tls-'));
const key = join(folder, 'key.pem');
const certificate = join(folder, 'certificate.pem');
let redis: TestRedis | undefined;

beforeAll(async () => {
  if (!hasOpenssl) {
    process.stderr.write('TLS is not tested: no openssl here to make a certificate\n');
    return;
  }
  const wanted = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
  const files = ['-keyout', key, '-out', certificate, '-addext', 'subjectAltName=DNS:localhost'];
  const made = spawnSync('openssl', [...wanted.split(' '), ...files]);
  if (made.status !== 0) throw new Error(made.stderr.toString());
  redis = await TestRedis.start({ key, certificate });
});
afterAll(async () => {
  await redis?.stop();
  rmSync(folder, { recursive: true });
});

/** Connects in a process that trusts the certificate: Node reads that at its start. */
function trusting(url: string): SpawnSyncReturns<string> {
  const dist = join(import.meta.dirname, '../../dist/cli.js');
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: certificate };
  const cache = join(folder, 'cache');
  return spawnSync(process.execPath, [dist, 'worker', '--redis', url, '--once', '--cache', cache], {
    encoding: 'utf8',
    env,
  });
}

describe('a Redis with TLS', () => {
  test.skipIf(!hasOpenssl)('is reached by whoever trusts its certificate, by nobody else', async () => {
    const url = redis?.tlsUrl ?? '';
    expect(url).toMatch(/^rediss:/);
    const { status, stderr } = trusting(url);
    expect([status, stderr]).toEqual([0, expect.stringContaining('0 tasks of 0 sweeps done')]);
    const begun = performance.now();
    await expect(connectRedis(parseRedisAddress(url), 10_000)).rejects.toThrow(
      /does not speak TLS as we do: .*self-signed/,
    );
    expect(performance.now() - begun).toBeLessThan(9000);
  });
});
