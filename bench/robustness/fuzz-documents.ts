import { diffResults } from '../../analyzers/diff/diff-results.ts';
import { parseResult } from '../../analyzers/diff/result-file.ts';
import { readJournal } from '../../analyzers/sweep/sweep-journal.ts';
import { parseReachCurve } from '../../replay/calibrate/reach-curve.ts';
import { cutIntoBlocks, hashOf, readManifest } from '../../replay/cluster/block-manifest.ts';
import { parseEntry, parseWorker } from '../../replay/cluster/sweep-entry.ts';
import { COST_PROFILES } from '../../replay/costs/cost-profiles.ts';
import { MigrationRecord } from '../../replay/dirty/recorded-migration.ts';
import { HARDWARE } from '../../replay/hardware/profiles.ts';
import { parseProfile, profileText } from '../../replay/profile-file.ts';
import { sweepPoint } from '../../replay/sweep/sweep-point.ts';
import type { SweepPoint } from '../../replay/sweep/sweep-point.ts';
import { parseResults, parseTask, sweepTasks } from '../../replay/sweep/sweep-tasks.ts';
import { IorrError } from '../../traces/errors.ts';
import { memorySource } from '../../traces/format/bytes-io.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { linesOf, mutateLog } from './mutate-log.ts';
import { changeTree } from './mutate-trace.ts';

/** A file or message that others may have written, beside traces and captures. To fuzz one more: a line in `DOCUMENTS`. */
interface Document {
  readonly name: string;
  /** Whole ones. */
  readonly seeds: readonly (string | Uint8Array)[];
  /** Puts names in order that follow from the content, so that what is behind their check is reached. */
  readonly seal?: (document: unknown) => unknown;
  /** Throws `IorrError` for what is none. */
  readonly read: (text: string, bytes: Uint8Array) => unknown;
}

const QUESTION = {
  hardware: HARDWARE[0]!,
  profile: COST_PROFILES[0]!,
  settings: ['context.entries=16'],
  counts: 'misses',
  seed: 1,
} as const;
const POINTS: readonly SweepPoint[] = [1, 2, 4].map((ways) =>
  sweepPoint('a'.repeat(64), '1.0.0', QUESTION, { 'iotlb.capacity': 64 * ways }),
);
const WINDOWS = [4096, 8192, 16384, 65536, 1 << 20];
const IDS = new Set(POINTS.map(({ id }) => id));
const RESULTS = POINTS.map(({ id }) => ({ id, metrics: { misses: 12, walks: null }, caveats: ['a text'] }));
const JOURNAL_HEAD = '{"sweep":"1"}\n';
const PROGRAM = { version: '1.0.0', format: 1, protocol: 1, build: 'abc' };

function resultText(command: string, result: unknown): string {
  const input = [{ name: 'a.iorr', events: 5, bytes: 100 }];
  return JSON.stringify({ schemaVersion: 1, tool: 'iorr', version: '1', command, options: { jobs: 1 }, input, result });
}

const ROW = {
  unmaps: 10,
  commands: 20,
  cpuNs: 5e6,
  iotlb: { lookups: 100, misses: 7 },
  exposure: { pageSeconds: 0.5, ns: { p50: 3 } },
};
const BENCH = {
  figures: [{ suite: 'decode', name: 'all', unit: 'events/s', median: 5e6, runs: 3, samples: [5e6, 5.1e6, 4.9e6] }],
};

/** A sweep's task whose points are what their ids say. */
function sealTask(document: unknown): unknown {
  const { questions, points } = document as { readonly questions?: unknown; readonly points?: unknown };
  if (!Array.isArray(questions) || !Array.isArray(points)) return document;
  const sealed = points.map((point: unknown) => {
    if (!Array.isArray(point)) return point;
    const [, trace, version, index, values] = point as [unknown, string, string, number, SweepPoint['values']];
    try {
      const id = sweepPoint(trace, version, (questions as SweepPoint['question'][])[index]!, values).id;
      return [id, trace, version, index, values];
    } catch {
      return point;
    }
  });
  return { questions, points: sealed };
}

/** Undamaged results that damaged ones are compared with. */
const WHOLE = [
  resultText('compare', {
    designs: [
      { name: 'linux-strict', ...ROW },
      { name: 'linux-lazy', path: 'trapped', ...ROW },
    ],
  }),
  resultText('replay', ROW),
  resultText('bench', BENCH),
  JSON.stringify([{ name: 'decode', unit: 'ns', value: 12.5, range: '± 3' }]),
];

export const DOCUMENTS: readonly Document[] = [
  {
    name: 'profile',
    seeds: [
      profileText({
        name: 'mine',
        summary: 'fitted',
        hardware: { base: HARDWARE[0]!.name, parameters: [...HARDWARE[0]!.parameters] },
        costs: { base: COST_PROFILES[0]!.name, parameters: [...COST_PROFILES[0]!.parameters] },
        measurements: [],
      }),
    ],
    read: (text) => parseProfile(text, 'damaged.json'),
  },
  {
    name: 'reach-curve',
    seeds: [
      JSON.stringify(WINDOWS.map((window) => ({ window, transactionsPerSecond: 5e7, averageNs: 400, offNs: 300 }))),
      JSON.stringify({ iommu: { lat_a_rd_64: { DWarm: Object.fromEntries(WINDOWS.map((window) => [window, 400])) } } }),
    ],
    read: (text) => parseReachCurve(text),
  },
  {
    name: 'result',
    seeds: WHOLE,
    read(text) {
      const damaged = parseResult(text, 'damaged.json');
      const whole = WHOLE.map((one) => parseResult(one, 'whole.json')).find(
        ({ command }) => command === damaged.command,
      );
      return whole && diffResults(whole, damaged, { seed: 1, resamples: 40, threshold: 0.01 });
    },
  },
  {
    name: 'sweep-journal',
    seeds: [JOURNAL_HEAD + RESULTS.map((result) => `${JSON.stringify(result)}\n`).join('')],
    read: (text) => readJournal(text, text.slice(0, text.indexOf('\n') + 1), IDS),
  },
  {
    name: 'sweep-task',
    seeds: sweepTasks(POINTS).map(({ text }) => text),
    seal: sealTask,
    read: parseTask,
  },
  { name: 'sweep-answer', seeds: [JSON.stringify(RESULTS)], read: (text) => parseResults(text, POINTS) },
  {
    name: 'sweep-entry',
    seeds: [
      JSON.stringify({ program: PROGRAM, trace: 'b'.repeat(64), bytes: 1000, tasks: 3, host: 'a' }),
      JSON.stringify({ host: 'a', pid: 5, slots: 2, done: 1, running: 0.5, trouble: '' }),
    ],
    read: (text) => [parseEntry(text), parseWorker(text)],
  },
  {
    name: 'block-manifest',
    seeds: [cutIntoBlocks(memorySource(new Uint8Array(50_000)), 4096).manifest.bytes],
    read: (_text, bytes) => readManifest(bytes, hashOf(bytes)),
  },
  {
    name: 'migration-answer',
    seeds: [
      '{"query-migrate":{"ram":{"total":5000,"dirty-sync-count":3,"mbps":12.5},"status":"active","total-time":5}}',
      '{"migrate-set-parameters":{"max-bandwidth":1000},"migrate-set-capabilities":{"capabilities":[{"capability":"auto-converge","state":true}]}}',
    ],
    read(text) {
      const record = new MigrationRecord();
      record.report(text);
      return record;
    },
  },
];

function isJson(seed: string | Uint8Array): seed is string {
  try {
    return typeof seed === 'string' && typeof JSON.parse(seed) === 'object';
  } catch {
    return false;
  }
}

/** Damaged files and messages of one kind: changed as JSON, as text and as bytes. */
export function fuzzDocument({ seeds, seal, read }: Document): FuzzTarget {
  const trees = seeds.filter(isJson).map((seed) => JSON.parse(seed) as unknown);
  const bytes = seeds.map((seed) => (typeof seed === 'string' ? new Uint8Array(Buffer.from(seed)) : seed));
  const texts = [...trees.map((tree) => Buffer.from(JSON.stringify(tree, null, 1))), ...bytes].map(linesOf);
  return {
    make(random) {
      const kind = random.below(3);
      if (kind === 0 && trees.length > 0) {
        let tree = trees[random.below(trees.length)];
        for (let k = 1 + random.below(3); k > 0; k--) tree = changeTree(tree, random);
        const text = JSON.stringify(seal === undefined ? tree : seal(tree)) ?? '';
        return { name: 'changed value', bytes: new Uint8Array(Buffer.from(text)) };
      }
      return kind === 1 ? mutateLog(texts, random) : mutateBytes(bytes, random);
    },
    take(input) {
      try {
        read(Buffer.from(input).toString('utf8'), input);
        return { refused: undefined, events: 0 };
      } catch (error) {
        if (error instanceof IorrError) return { refused: error.code, events: 0 };
        throw error;
      }
    },
  };
}
