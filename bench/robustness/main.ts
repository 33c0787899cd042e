import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { programExit, programNames, programNumber, programOptions } from '../../traces/program.ts';
import { FUZZ_KINDS } from './fuzz-kinds.ts';
import type { FuzzFinding, FuzzReport } from './fuzz-protocol.ts';
import { runFuzz } from './fuzz-run.ts';
import type { FuzzOptions } from './fuzz-run.ts';
import { FuzzThread } from './fuzz-thread.ts';
import { minimise, problemKey } from './minimise.ts';

const HANG_MS = 2000;
/** For making one finding smaller. */
const SMALLER_MS = 60_000;
const SHOWN_EVERY_MS = 5000;

const HELP = `npm run fuzz -- [options]

  --count N       damaged inputs (default 1000000)
  --from N        number of the first one (default 0): goes on with a run that was ended
  --seed N        all follows from it (default 1)
  --only A,B      targets, of: ${FUZZ_KINDS.map(({ name }) => name).join(', ')}
  --jobs N        threads (default: one a core)
  --captures DIR  captures to damage beside the fixtures
  --save DIR      where findings go (default fuzz-findings)
  --file F        gives the one target of --only this file instead
`;

interface Place {
  readonly root: string;
  readonly worker: string;
}

function numberOf(text: string | undefined, name: string, otherwise: number): number {
  return text === undefined ? otherwise : programNumber(name, text, 0);
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function reportText(report: FuzzReport, seconds: number): string {
  const width = Math.max(...report.tallies.map(({ target }) => target.length));
  const rows = [...report.tallies]
    .sort((a, b) => (a.target < b.target ? -1 : 1))
    .map(({ target, files, opened, events, slowestMs, largestAllocation, largestTotal }) => {
      const memory = `largest ${mib(largestAllocation)}, in all ${mib(largestTotal)}`;
      return `  ${target.padEnd(width)} ${files} inputs, ${opened} read, ${events} events; slowest ${slowestMs.toFixed(0)} ms, ${memory}`;
    });
  const sum = `${report.files} damaged inputs in ${seconds.toFixed(0)} s: ${report.findings.length} findings; peak memory of the process ${mib(report.peakMemory)}`;
  return `${[...rows, sum, ...(report.retried > 0 ? [`${report.retried} took longer once, not when tried again`] : [])].join('\n')}\n`;
}

/** One of each problem of a target: the smallest input. */
function distinct(findings: readonly FuzzFinding[]): readonly FuzzFinding[] {
  const found = new Map<string, FuzzFinding>();
  for (const finding of findings) {
    const key = `${finding.target} ${problemKey(finding.problem)}`;
    const other = found.get(key);
    if (other === undefined || finding.bytes.length < other.bytes.length) found.set(key, finding);
  }
  return [...found.values()];
}

/** Saves a finding as it was and as small as it gets; returns what to tell of it. */
async function save(finding: FuzzFinding, folder: string, seed: number, place: Place): Promise<string> {
  const { number, target, mutation, problem, bytes } = finding;
  if (target === '') return `case ${number}: ${problem}`;
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${target}-${seed}-${number}`);
  writeFileSync(file, bytes);
  const thread = new FuzzThread(place.worker, { root: place.root, seed, only: [target] }, HANG_MS);
  const key = problemKey(problem);
  const until = performance.now() + SMALLER_MS;
  const small = await minimise(bytes, async (candidate) => {
    if (performance.now() > until) return false;
    const end = await thread.ask({ kind: 'try', number, bytes: candidate });
    if (end.kind === 'hung') return problem.startsWith('took more');
    if (end.kind === 'broken') return problemKey(end.problem) === key;
    return end.reply.kind === 'tried' && end.reply.problem !== undefined && problemKey(end.reply.problem) === key;
  });
  await thread.stop();
  writeFileSync(`${file}.small`, small);
  const again = `npm run fuzz -- --only ${target} --seed ${seed} --from ${number} --file`;
  return `${target}: ${problem}\n  ${mutation}, ${bytes.length} bytes; ${small.length} bytes are enough\n  ${again} ${file}.small`;
}

async function tryFile(file: string, target: string, options: FuzzOptions): Promise<number> {
  const { worker, root, seed } = options;
  const thread = new FuzzThread(worker, { root, seed, only: [target] }, HANG_MS);
  const bytes = new Uint8Array(readFileSync(file));
  const end = await thread.ask({ kind: 'try', number: options.from, bytes });
  await thread.stop();
  const problem =
    end.kind === 'hung'
      ? `took more than ${HANG_MS} ms`
      : end.kind === 'broken'
        ? end.problem
        : end.reply.kind === 'tried'
          ? end.reply.problem
          : undefined;
  process.stdout.write(`${file}: ${problem ?? 'nothing wrong'}\n`);
  return problem === undefined ? 0 : 1;
}

/** Runs the command; returns its exit code: 1 if anything was found. */
export function main(args: readonly string[], place: Place): Promise<number> {
  return programExit('fuzz', () => fuzz(args, place));
}

async function fuzz(args: readonly string[], place: Place): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = programOptions({
    args: [...args],
    options: {
      count: text,
      from: text,
      seed: text,
      only: text,
      jobs: text,
      captures: text,
      save: text,
      file: text,
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const known = FUZZ_KINDS.map(({ name }) => name);
  const only = values.only === undefined ? undefined : programNames('target', [values.only], known);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const started = performance.now();
  let shown = started;
  let next = 0;
  const options: FuzzOptions = {
    ...place,
    captures: values.captures,
    seed: numberOf(values.seed, 'seed', 1),
    from: numberOf(values.from, 'from', 0),
    count: numberOf(values.count, 'count', 1_000_000),
    only,
    jobs: Math.max(1, numberOf(values.jobs, 'jobs', availableParallelism())),
    hangMs: HANG_MS,
    signal: stop.signal,
    onProgress(done) {
      next = done;
      if (performance.now() - shown < SHOWN_EVERY_MS) return;
      shown = performance.now();
      const perSecond = Math.round((done - options.from) / ((shown - started) / 1000));
      process.stderr.write(`${done - options.from} of ${options.count}, ${perSecond} a second\n`);
    },
  };
  const [target] = only ?? [];
  if (values.file !== undefined && target !== undefined) return tryFile(values.file, target, options);
  const report = await runFuzz(options);
  process.stdout.write(reportText(report, (performance.now() - started) / 1000));
  if (stop.signal.aborted) process.stdout.write(`ended early; --from ${next} goes on\n`);
  for (const finding of distinct(report.findings)) {
    process.stdout.write(`\n${await save(finding, values.save ?? 'fuzz-findings', options.seed, place)}\n`);
  }
  return report.findings.length > 0 ? 1 : stop.signal.aborted ? 130 : 0;
}
