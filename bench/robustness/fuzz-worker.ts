import { parentPort, workerData } from 'node:worker_threads';
import { watchAllocations } from './allocation-watch.ts';
import { caseRandom, fuzzOrder } from './fuzz-kinds.ts';
import type { FuzzReply, FuzzRequest, FuzzSetup, FuzzTally } from './fuzz-protocol.ts';
import type { FuzzKind, FuzzOutcome, FuzzTarget } from './fuzz-target.ts';

/** A thread that takes damaged input until it is told to stop, or until it breaks. Started by fuzz-run.ts. */

/** No single piece of memory is larger; nor is all that one input makes anybody ask for, where it is not replayed. */
const MOST_BYTES = 512 * 1024 * 1024;
/** Replays fill caches of the hardware's size again and again. */
const REUSES_MEMORY: ReadonlySet<string> = new Set(['replay', 'join']);

const setup = workerData as FuzzSetup;
const order = fuzzOrder(setup.only);
const board = new Int32Array(setup.board);
const targets = new Map<FuzzKind, FuzzTarget>();
const watch = watchAllocations();

function send(reply: FuzzReply): void {
  parentPort?.postMessage(reply);
}

interface Case {
  readonly kind: FuzzKind;
  readonly target: FuzzTarget;
}

function caseOf(number: number): Case {
  const kind = order[number % order.length] as FuzzKind;
  let target = targets.get(kind);
  if (target === undefined) targets.set(kind, (target = kind.create(setup)));
  return { kind, target };
}

/** What became of these bytes; throws for what must not happen. */
async function take({ kind, target }: Case, number: number, bytes: Uint8Array): Promise<FuzzOutcome> {
  watch.reset();
  const random = caseRandom(setup.seed, kind.name, number, 'take');
  Atomics.store(board, 0, number + 1);
  try {
    const taken = target.take(bytes, random);
    const outcome = taken instanceof Promise ? await taken : taken;
    if (watch.largest() > MOST_BYTES) throw new Error(`an allocation of ${watch.largest()} bytes`);
    if (watch.total() > MOST_BYTES && !REUSES_MEMORY.has(kind.name)) {
      throw new Error(`allocations of ${watch.total()} bytes in all`);
    }
    return outcome;
  } finally {
    Atomics.store(board, 0, 0);
  }
}

function problemOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

type Tally = { -readonly [K in keyof FuzzTally]: FuzzTally[K] } & { refused: Record<string, number> };

function emptyTally(target: string): Tally {
  return {
    target,
    files: 0,
    opened: 0,
    refused: {},
    events: 0,
    slowestMs: 0,
    largestAllocation: 0,
    largestTotal: 0,
  };
}

async function run(from: number, to: number): Promise<void> {
  const tallies = new Map<string, Tally>();
  for (let number = from; number < to; number++) {
    const one = caseOf(number);
    const { name } = one.kind;
    let tally = tallies.get(name);
    if (tally === undefined) tallies.set(name, (tally = emptyTally(name)));
    const mutation = one.target.make(caseRandom(setup.seed, name, number, 'make'));
    const started = performance.now();
    try {
      const { refused, events } = await take(one, number, mutation.bytes);
      tally.events += events;
      if (refused === undefined) tally.opened++;
      else tally.refused[refused] = (tally.refused[refused] ?? 0) + 1;
    } catch (error) {
      const { name: damage, bytes } = mutation;
      send({
        kind: 'finding',
        finding: { number, target: name, mutation: damage, problem: problemOf(error), bytes: bytes.slice() },
      });
    }
    tally.files++;
    tally.slowestMs = Math.max(tally.slowestMs, performance.now() - started);
    tally.largestAllocation = Math.max(tally.largestAllocation, watch.largest());
    tally.largestTotal = Math.max(tally.largestTotal, watch.total());
  }
  send({ kind: 'ran', tallies: [...tallies.values()] });
}

async function answer(request: FuzzRequest): Promise<void> {
  if (request.kind === 'run') return run(request.from, request.to);
  const { number } = request;
  const one = caseOf(number);
  if (request.kind === 'make') {
    const { name, bytes } = one.target.make(caseRandom(setup.seed, one.kind.name, number, 'make'));
    send({ kind: 'made', target: one.kind.name, mutation: name, bytes: bytes.slice() });
    return undefined;
  }
  try {
    await take(one, number, request.bytes);
    send({ kind: 'tried', problem: undefined });
  } catch (error) {
    send({ kind: 'tried', problem: problemOf(error) });
  }
  return undefined;
}

parentPort?.on('message', (request: FuzzRequest) => {
  answer(request).catch((error: unknown) => {
    // a fault of the fuzzer itself: the thread breaks
    setImmediate(() => {
      throw error;
    });
  });
});
