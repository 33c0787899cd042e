// npm run build: the report's script, then dist/ from the sources, then the programs of dist/ in one piece each. Files of dist/
// that this build did not write are removed: their source is gone, or no longer part of the package.
import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bundlePrograms } from './bundle.mjs';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
/** A little earlier: some file systems keep whole seconds. */
const began = Date.now() - 2000;

function sweep(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      sweep(path);
      if (readdirSync(path).length === 0) rmSync(path, { recursive: true });
      continue;
    }
    if (/\.(d\.ts|js)$/.test(entry.name) && statSync(path).mtimeMs < began) rmSync(path);
  }
}

/** Runs to its end with our own output; ends the build where it fails. */
function run(command, ...args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
}

run(process.execPath, 'analyzers/report/build-client.mjs');
run(join(root, 'node_modules', '.bin', 'tsc'), '-p', 'tsconfig.build.json');
sweep(dist);
await bundlePrograms(dist);
chmodSync(join(dist, 'cli.js'), 0o755);
