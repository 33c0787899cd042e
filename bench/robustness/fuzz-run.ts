import type { FuzzFinding, FuzzReport, FuzzTally } from './fuzz-protocol.ts';
import { FuzzThread } from './fuzz-thread.ts';

export interface FuzzOptions {
  /** The bundled worker, see bundle.mjs. */
  readonly worker: string;
  readonly root: string;
  readonly captures?: string | undefined;
  readonly seed: number;
  readonly from: number;
  readonly count: number;
  /** Targets by name; all if undefined. */
  readonly only?: readonly string[] | undefined;
  readonly jobs: number;
  readonly hangMs: number;
  /** No further case is begun after so many findings. Default 20. */
  readonly mostFindings?: number;
  /** All cases before `next` are done. */
  readonly onProgress?: (next: number) => void;
  readonly signal?: AbortSignal;
}

/** Cases that a thread is given at once. */
const CHUNK = 500;
/** A case that hung is tried so often again: on a busy machine anything may. */
const RETRIES = 2;

type Totals = { -readonly [K in keyof FuzzTally]: FuzzTally[K] } & { refused: Record<string, number> };

function add(totals: Map<string, Totals>, tally: FuzzTally): void {
  const sum = totals.get(tally.target);
  if (sum === undefined) {
    totals.set(tally.target, { ...tally, refused: { ...tally.refused } });
    return;
  }
  sum.files += tally.files;
  sum.opened += tally.opened;
  sum.events += tally.events;
  for (const [code, count] of Object.entries(tally.refused)) sum.refused[code] = (sum.refused[code] ?? 0) + count;
  for (const name of ['slowestMs', 'largestAllocation', 'largestTotal'] as const) {
    sum[name] = Math.max(sum[name], tally[name]);
  }
}

/** Runs cases `from` to `from + count - 1` on threads. A crash, or a case that takes longer than `hangMs`, becomes a finding. */
export async function runFuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { worker, root, captures, seed, only, hangMs, from } = options;
  const end = from + options.count;
  const findings: FuzzFinding[] = [];
  const totals = new Map<string, Totals>();
  const open = new Set<number>();
  let next = from;
  let files = 0;
  let retried = 0;

  /** Hung or broken: is it the input's doing? Undefined if it was not. */
  const judge = async (thread: FuzzThread, number: number, problem: string): Promise<FuzzFinding | undefined> => {
    const made = await thread.ask({ kind: 'make', number });
    if (made.kind !== 'reply' || made.reply.kind !== 'made') {
      return {
        number,
        target: '',
        mutation: 'none',
        problem: `the input can't be made: ${problem}`,
        bytes: new Uint8Array(0),
      };
    }
    const { target, mutation, bytes } = made.reply;
    for (let n = 0; n < RETRIES; n++) {
      const again = await thread.ask({ kind: 'try', number, bytes });
      if (again.kind === 'reply' && again.reply.kind === 'tried' && again.reply.problem === undefined) return undefined;
    }
    return { number, target, mutation, problem, bytes };
  };

  const lane = async (): Promise<void> => {
    const thread = new FuzzThread(worker, { root, captures, seed, only }, hangMs);
    while (next < end && findings.length < (options.mostFindings ?? 20) && options.signal?.aborted !== true) {
      const first = next;
      const to = Math.min(end, first + CHUNK);
      next = to;
      open.add(first);
      for (let at = first; at < to; ) {
        const done = await thread.ask({ kind: 'run', from: at, to }, (finding) => findings.push(finding));
        if (done.kind === 'reply') {
          if (done.reply.kind === 'ran') for (const tally of done.reply.tallies) add(totals, tally);
          at = to;
          continue;
        }
        const number = done.number ?? at;
        const problem = done.kind === 'hung' ? `took more than ${hangMs} ms` : done.problem;
        const finding = await judge(thread, number, problem);
        if (finding === undefined) retried++;
        else findings.push(finding);
        at = number + 1;
      }
      files += to - first;
      open.delete(first);
      options.onProgress?.(Math.min(next, ...open));
    }
    await thread.stop();
  };
  await Promise.all(Array.from({ length: options.jobs }, lane));
  const peakMemory = process.resourceUsage().maxRSS * 1024;
  return { findings, files, tallies: [...totals.values()], retried, peakMemory };
}
