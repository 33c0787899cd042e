// Bundles the fuzzer from its sources into a folder: what is tested is what is there, built or not.
import { join } from 'node:path';
import { build } from 'esbuild';

/** Writes fuzz-worker.mjs and main.mjs. */
export async function bundleFuzzer(folder) {
  await build({
    entryPoints: ['fuzz-worker.ts', 'main.ts'].map((name) => join(import.meta.dirname, name)),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    // For packages that are CommonJS inside: they require Node's own modules.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  });
}
