// npm run test:nodes [-- PATHS of tests]: tests by each Node that is supported, of dist/ as it is. The Nodes come from the registry
// (packages node-PLATFORM-ARCH) into a folder that is removed again.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const VERSIONS = ['20', '22', '24'];
/** What a Node may do otherwise: modules and packages, files, compression, numbers as text. */
const TESTS = [
  '.ci/package.test.ts',
  '.ci/terminal.test.ts',
  'traces/zstd',
  'traces/corpus',
  'traces/format/format.test.ts',
];

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'iorr-nodes-'));
const run = (command, args) => spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
const name = `node-${process.platform}-${process.arch}`;
const results = [];
try {
  for (const version of VERSIONS) {
    const home = join(folder, version);
    const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', home];
    const node = join(home, 'node_modules', name, 'bin/node');
    const passed =
      run('npm', ['install', ...options, `${name}@${version}`]) &&
      run(node, [
        join(root, 'node_modules/vitest/vitest.mjs'),
        'run',
        ...(process.argv.length > 2 ? process.argv.slice(2) : TESTS),
      ]);
    const shown = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? version;
    results.push({ shown, passed });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const { shown, passed } of results) console.log(`${shown}: ${passed ? 'passed' : 'FAILED'}`);
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
