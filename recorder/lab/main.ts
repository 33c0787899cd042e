import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { INTERRUPTED } from '../../traces/command.ts';
import { programExit } from '../../traces/program.ts';
import { runLab } from './lab.ts';
import { LAB_HELP, readLabOptions } from './lab-options.ts';

/** The entry of `npm run lab`: exit code 0 if the recording joined and verified, 3 if not, 125 if there was none. */
const EXIT_DIVERGED = 3;
const EXIT_FAILED = 125;

/** The folder with package.json, from the sources as from dist/. */
function projectFolder(): string {
  let folder = fileURLToPath(new URL('.', import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = join(folder, '..');
  return folder;
}

async function main(signal: AbortSignal): Promise<number> {
  const options = readLabOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(LAB_HELP);
    return 0;
  }
  const project = projectFolder();
  const places = { project, dist: join(project, 'dist') };
  const result = await runLab(options, places, signal, (text) => process.stderr.write(`lab: ${text}\n`));
  for (const { name, status, text } of result.checks) process.stdout.write(`== ${name}: exit ${status}\n${text}`);
  process.stdout.write(`== ${result.out}: ${readdirSync(result.out).join(', ')}\n`);
  return result.checks.every(({ status }) => status === 0) ? 0 : EXIT_DIVERGED;
}

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort());
process.exitCode = await programExit(
  'lab',
  () => main(stop.signal),
  (error) => (stop.signal.aborted ? INTERRUPTED : error.code === 'USAGE' ? error.exitCode : EXIT_FAILED),
);
