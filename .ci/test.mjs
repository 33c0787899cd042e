// npm test: system packages, build, lint, format, dead code, types, tests. Arguments go to vitest.
// Every check runs even if an earlier one failed (but for the first two, which the others need). The last line is
// "N passed, N failed": tests as vitest counts them; a file that could not run and a check that failed count as one each.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countTests } from './count.mjs';

const root = join(import.meta.dirname, '..');
const bin = (name) => join(root, 'node_modules', '.bin', name);
const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC', NO_COLOR: '1', FORCE_COLOR: undefined };

/** Runs to its end with our own output; true if it exited with 0. */
function passes(command, args, extraEnv = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...env, ...extraEnv },
  });
  if (error) console.error(`${command}: ${error.message}`);
  return status === 0;
}

const checks = [
  { name: 'setup', command: 'sh', args: ['.ci/setup.sh'], needed: true },
  { name: 'build', command: process.execPath, args: ['.ci/build.mjs'], needed: true },
  { name: 'lint', command: bin('oxlint'), args: ['--deny-warnings'] },
  { name: 'format', command: bin('biome'), args: ['format', '--max-diagnostics=50'] },
  { name: 'dead code', command: bin('knip'), args: ['--no-progress', '--no-config-hints'] },
  { name: 'types', command: bin('tsc'), args: ['-p', 'tsconfig.json', '--noEmit'] },
  {
    name: "types of the report's script",
    command: bin('tsc'),
    args: ['-p', 'analyzers/report/client/tsconfig.json', '--noEmit'],
  },
];

/** Vitest's JSON report; undefined if it broke before writing it. */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

let passed = 0;
let failed = 0;
const broken = [];
let stopped = false;
for (const { name, command, args, needed } of checks) {
  console.log(`- ${name}`);
  if (passes(command, args)) continue;
  failed += 1;
  broken.push(name);
  console.log(`- ${name} FAILED`);
  if (needed) {
    stopped = true;
    break;
  }
}

if (!stopped) {
  const scratch = mkdtempSync(join(tmpdir(), 'iorr-test-'));
  const report = join(scratch, 'vitest.json');
  console.log('- tests');
  const vitest = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const ok = passes(bin('vitest'), [...vitest, ...process.argv.slice(2)]);
  const tests = countTests(readReport(report), ok);
  rmSync(scratch, { recursive: true, force: true });
  passed += tests.passed;
  failed += tests.failed;
}

if (broken.length > 0) console.log(`failed before the tests: ${broken.join(', ')} (see above)`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
