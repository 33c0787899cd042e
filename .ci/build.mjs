// npm run build: the report's script, then dist/ from the sources, then the programs of dist/ in one piece each. Files of dist/
// whose source is gone are removed.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { bundlePrograms } from './bundle.mjs';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

function sweep(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      sweep(path);
      if (readdirSync(path).length === 0) rmSync(path, { recursive: true });
      continue;
    }
    const source = relative(dist, path).replace(/(\.d\.ts|\.js)$/, '.ts');
    const made = /\.(d\.ts|js)$/.test(entry.name);
    if (made && (!existsSync(join(root, source)) || source.endsWith('.test.ts'))) rmSync(path);
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
