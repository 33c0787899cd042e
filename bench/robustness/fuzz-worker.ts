import { Random } from '../../traces/random.ts';
import { watchAllocations } from './allocation-watch.ts';
import { fuzzCompressed } from './fuzz-compressed.ts';
import { fuzzLogs } from './fuzz-logs.ts';
import type { FuzzFinding, FuzzJob, FuzzMessage } from './fuzz-protocol.ts';
import { fuzzReplays } from './fuzz-replays.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { fuzzTraces } from './fuzz-traces.ts';

/** A process of its own that takes damaged input until it is done, or until it breaks. Started by fuzz-run.ts. */

const MAX_FINDINGS = 20;

/** Resolves when the message has left the process, so that a crash after it can't swallow it. */
function send(message: FuzzMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, undefined, {}, (error) => (error === null ? resolve() : reject(error)));
  });
}

function targetOf(job: FuzzJob): FuzzTarget {
  switch (job.kind) {
    case 'trace':
      return fuzzTraces();
    case 'log':
      return fuzzLogs(job.logs);
    case 'replay':
      return fuzzReplays();
    case 'compressed':
      return fuzzCompressed(job.folder ?? '.');
  }
}

async function run(job: FuzzJob): Promise<void> {
  const target = targetOf(job);
  const watch = watchAllocations();
  const findings: FuzzFinding[] = [];
  const refused: Record<string, number> = {};
  let opened = 0;
  let events = 0;
  let slowestMs = 0;
  let largestAllocation = 0;
  let largestTotal = 0;
  for (let number = job.from; number < job.to && findings.length < MAX_FINDINGS; number++) {
    await send({ kind: 'begin', number });
    const random = new Random(job.seed + number);
    const mutation = target.make(random);
    watch.reset();
    const started = performance.now();
    try {
      const outcome = await target.take(mutation.bytes, random);
      events += outcome.events;
      if (outcome.refused === undefined) opened++;
      else refused[outcome.refused] = (refused[outcome.refused] ?? 0) + 1;
    } catch (error) {
      const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
      findings.push({ number, mutation: mutation.name, problem });
    }
    slowestMs = Math.max(slowestMs, performance.now() - started);
    largestAllocation = Math.max(largestAllocation, watch.largest());
    largestTotal = Math.max(largestTotal, watch.total());
  }
  const files = job.to - job.from;
  const peakMemory = process.resourceUsage().maxRSS * 1024;
  await send({
    kind: 'done',
    report: { findings, files, opened, refused, events, slowestMs, largestAllocation, largestTotal, peakMemory },
  });
}

process.once('message', (job: FuzzJob) => {
  run(job).then(
    () => process.disconnect(),
    (error: unknown) => {
      console.error(error);
      process.exitCode = 1;
      process.disconnect();
    },
  );
});
