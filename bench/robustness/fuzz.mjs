// npm run fuzz: bundles the fuzzer and runs it. Options as main.ts has them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleFuzzer } from './bundle.mjs';

const folder = mkdtempSync(join(tmpdir(), 'iorr-fuzz-'));
try {
  await bundleFuzzer(folder);
  const { main } = await import(pathToFileURL(join(folder, 'main.mjs')).href);
  const root = join(import.meta.dirname, '../..');
  process.exitCode = await main(process.argv.slice(2), { root, worker: join(folder, 'fuzz-worker.mjs') });
} finally {
  rmSync(folder, { recursive: true });
}
