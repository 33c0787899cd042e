// npm run bench:newcomer [-- BEFORE AFTER]: what README promises to somebody new, timed: from a clean clone to the picture, and from two
// captures to a verdict in three commands. Without captures of the caller's own it takes two of the test's. Exits with 1 beyond
// the two minutes, or where something is missing.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = join(import.meta.dirname, '..');
const MOST_SECONDS = 120;
const FIXTURES = ['ftrace-6.12-strict.txt', 'ftrace-6.12-lazy.txt'].map((name) =>
  join(root, 'recorder/import/fixtures', name),
);
const [before, after] = process.argv.length > 3 ? process.argv.slice(2).map((path) => resolve(path)) : FIXTURES;

const folder = mkdtempSync(join(tmpdir(), 'iorr-newcomer-'));
const clone = join(folder, 'iorr');

/** Runs a line of a shell's; how long it took, in seconds. */
function timed(line, cwd) {
  const began = performance.now();
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', line], { cwd, encoding: 'utf8', maxBuffer: 1 << 28 });
  const seconds = (performance.now() - began) / 1000;
  console.log(`${seconds.toFixed(1).padStart(7)} s  ${line}`);
  if (status !== 0) throw new Error(`${line}: exit code ${status}\n${stdout}${stderr}`);
  return { seconds, stdout };
}

try {
  console.log(`${cpus().length} CPUs, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`);
  timed(`git clone --quiet --no-hardlinks '${root}' '${clone}'`, folder);
  const picture = ['npm ci --no-audit --no-fund', 'npm start'].map((line) => timed(line, clone));
  const page = join(clone, 'iorr-report.html');
  if (!existsSync(page) || statSync(page).size < 10_000) throw new Error('npm start wrote no page');
  const seconds = picture.reduce((sum, one) => sum + one.seconds, 0);
  console.log(`${seconds.toFixed(1).padStart(7)} s  to the picture (${MOST_SECONDS} s at most)`);

  const iorr = `'${process.execPath}' '${join(clone, 'dist/cli.js')}'`;
  const verdict = [
    `${iorr} import '${before}' -o before.iorr`,
    `${iorr} import '${after}' -o after.iorr`,
    `${iorr} diff before.iorr after.iorr --fail-on none`,
  ].map((line) => timed(line, folder));
  const words = verdict.at(-1).stdout.match(/\b(same|better|worse|inconclusive)\b/g) ?? [];
  if (words.length === 0) throw new Error('iorr diff gave no verdict');
  const own = verdict.reduce((sum, one) => sum + one.seconds, 0);
  console.log(
    `${own.toFixed(1).padStart(7)} s  to a verdict on two captures, in three commands (${words.length} metrics judged)`,
  );
  process.exitCode = seconds <= MOST_SECONDS ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
