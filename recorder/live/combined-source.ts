import { IorrError } from '../../traces/errors.ts';
import type { Fidelity } from '../../traces/header.ts';
import { STREAM_NAMES } from '../../traces/schema.ts';
import type { StreamName } from '../../traces/schema.ts';
import type {
  LiveFacts,
  LiveHeader,
  LiveOptions,
  LiveRun,
  LiveSink,
  LiveSource,
  LiveState,
  LiveTarget,
} from './live-source.ts';
import { SourceMerge } from './merge/source-merge.ts';
import type { System } from './system.ts';

/** A source that tells nothing about how far it is has given all that is older than this; one that tells may take longer. */
const SETTLED_NS = 500_000_000;
const LONGEST_NS = 2_000_000_000;

/** How much each tells of a call; the one that tells more has it. */
const RANKS: { readonly [source: string]: number } = { bpf: 3, strace: 2, tracefs: 1, perf: 1 };

interface Part {
  readonly source: LiveSource;
  readonly run: LiveRun;
  /** Why it ended before the others. */
  failure: string | undefined;
}

class CombinedRun implements LiveRun {
  readonly #parts: Part[];
  readonly #merge: SourceMerge;
  readonly #epoch: bigint;

  constructor(parts: Part[], merge: SourceMerge, epoch: bigint) {
    this.#parts = parts;
    this.#merge = merge;
    this.#epoch = epoch;
  }

  poll(): boolean {
    const now = Number(process.hrtime.bigint() - this.#epoch);
    let more = false;
    this.#parts.forEach((part, i) => {
      if (part.failure !== undefined) return;
      try {
        more = part.run.poll() || more;
        const { horizon } = part.run;
        const complete = horizon === undefined ? now - SETTLED_NS : Math.max(horizon, now - LONGEST_NS);
        this.#merge.complete(i, complete);
      } catch (error) {
        this.#fail(part, i, error);
      }
    });
    this.#merge.run();
    return more;
  }

  state(): LiveState {
    const states = this.#parts.flatMap(({ run }) => run.state?.() ?? []);
    return {
      lost: states.reduce((sum, { lost }) => sum + lost, 0),
      fill: Math.max(0, ...states.map(({ fill }) => fill)),
    };
  }

  async stop(): Promise<LiveFacts> {
    let [taken, lost] = [0, 0];
    const sources: { readonly [name: string]: unknown }[] = [];
    // What comes meanwhile is not held for longer than it must be.
    const merging = setInterval(() => this.#merge.run(), 20);
    const stopped = await Promise.all(this.#parts.map(stopPart)).finally(() => clearInterval(merging));
    for (const [i, { source, failure }] of this.#parts.entries()) {
      const facts = stopped[i] ?? { taken: 0, lost: 0, notes: {} };
      taken += facts.taken;
      lost += facts.lost;
      this.#merge.complete(i, Number.POSITIVE_INFINITY);
      sources.push({ source: source.name, taken: facts.taken, lost: facts.lost, ...facts.notes, ...failed(failure) });
    }
    this.#merge.run();
    const doubled = this.#parts.map((_, i) => this.#merge.doubledOf(i));
    return {
      taken,
      lost,
      notes: {
        sources: sources.map((facts, i) => (doubled[i] === 0 ? facts : { ...facts, seenByARicherSource: doubled[i] })),
      },
    };
  }

  abandon(): void {
    for (const { run } of this.#parts) run.abandon();
  }

  /** The others go on. Throws if there are none. */
  #fail(part: Part, at: number, error: unknown): void {
    part.failure = error instanceof IorrError ? error.message : 'an error';
    part.run.abandon();
    this.#merge.complete(at, Number.POSITIVE_INFINITY);
    if (this.#parts.every(({ failure }) => failure !== undefined)) throw error;
  }
}

async function stopPart({ run, failure }: Part): Promise<LiveFacts | undefined> {
  return failure === undefined ? run.stop() : undefined;
}

function failed(failure: string | undefined): { readonly [name: string]: unknown } {
  return failure === undefined ? {} : { stopped: failure };
}

/** What each source sees, together: all of it where one sees all. */
function union(headers: readonly LiveHeader[]): LiveHeader['fidelity'] {
  const seen: { [S in StreamName]?: Fidelity } = {};
  for (const stream of STREAM_NAMES) {
    const each = headers.map(({ fidelity }) => fidelity[stream]);
    const best = each.includes('full') ? 'full' : each.find((one) => one !== undefined);
    if (best !== undefined) seen[stream] = best;
  }
  return seen;
}

/** Options of one source among several: each is asked for the events that are its own. */
function optionsOf(source: LiveSource, options: LiveOptions): LiveOptions {
  return source.name === 'strace' || source.name === 'bpf' ? { ...options, events: [] } : options;
}

/** The clock of one source told as another clock of the same instant. */
function headerAs(header: LiveHeader, epoch: bigint): LiveHeader {
  const { clock } = header;
  if (clock.name === 'mono') return { ...header, clock: { ...clock, epochNs: String(epoch) } };
  // Both clocks are read in between; they differ by what passes there, a microsecond or so.
  const ago = process.hrtime.bigint() - epoch;
  const realtime = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
  return { ...header, clock: { ...clock, epochNs: String(realtime - ago) } };
}

/** Several sources in one recording, as one. Throws `IorrError` USAGE for those that don't go together. */
export function combineSources(sources: readonly LiveSource[]): LiveSource {
  const names = sources.map(({ name }) => name);
  if (names.includes('tracefs') && names.includes('perf')) {
    throw new IorrError('USAGE', 'tracefs and perf see the same events', { hint: 'take one: --source tracefs' });
  }
  if (new Set(names).size < names.length) throw new IorrError('USAGE', `a source is named twice: ${names.join(', ')}`);
  const wrapper = sources.find((source) => source.wrap !== undefined);
  return {
    name: names.join('+'),
    description: sources.map(({ description }) => description).join('; '),
    sees: sources.map(({ sees }) => sees).join('; '),
    misses: 'what none of them sees',
    probe: (system, options) => sources.flatMap((source) => source.probe(system, optionsOf(source, options))),

    describe(system, options): LiveHeader {
      const headers = sources.map((source) => source.describe(system, optionsOf(source, options)));
      const odd = headers.findIndex(({ clock }) => clock.name !== 'mono' && clock.name !== 'realtime');
      if (odd >= 0) {
        throw new IorrError('RECORDING_FAILED', `${names[odd]} has no clock that others have`, {
          hint: 'record it alone',
        });
      }
      return {
        producer: headers.map(({ producer }) => producer).join(', '),
        clock: { epochNs: String(process.hrtime.bigint()), name: 'mono', resolutionNs: 1 },
        fidelity: union(headers),
        parts: headers.map(({ producer, fidelity }, i) => ({ format: names[i] ?? '', producer, fidelity })),
      };
    },

    ...(wrapper === undefined
      ? {}
      : { wrap: (system, options, ...rest) => wrapper.wrap?.(system, { ...options, events: [] }, ...rest) ?? [] }),

    async start(system, options, target, sink): Promise<LiveRun> {
      const epoch = BigInt(sink.header.clock.epochNs);
      const merge = new SourceMerge(
        sink.sink,
        names.map((name) => RANKS[name] ?? 0),
      );
      const parts: (Part | undefined)[] = [];
      try {
        // Those that take long to start come first: the others are not to wait for them with full buffers.
        const order = sources
          .map((_, i) => i)
          .sort((a, b) => (RANKS[names[b] ?? ''] ?? 0) - (RANKS[names[a] ?? ''] ?? 0));
        for (const i of order) {
          const source = sources[i];
          if (source !== undefined) parts[i] = await startPart(system, source, options, target, sink, merge, epoch, i);
        }
      } catch (error) {
        for (const part of parts) part?.run.abandon();
        throw error;
      }
      return new CombinedRun(
        parts.flatMap((part) => part ?? []),
        merge,
        epoch,
      );
    },
  };
}

async function startPart(
  system: System,
  source: LiveSource,
  options: LiveOptions,
  target: LiveTarget,
  sink: LiveSink,
  merge: SourceMerge,
  epoch: bigint,
  index: number,
): Promise<Part> {
  const own = optionsOf(source, options);
  const header = headerAs(source.describe(system, own), epoch);
  const run = await source.start(system, own, target, { ...sink, sink: merge.sinkOf(index), source: index, header });
  return { source, run, failure: undefined };
}
