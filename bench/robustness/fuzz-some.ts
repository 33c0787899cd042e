import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleFuzzer } from './bundle.mjs';
import type { FuzzReport, FuzzTally } from './fuzz-protocol.ts';
import { runFuzz } from './fuzz-run.ts';
import type { FuzzOptions } from './fuzz-run.ts';

/** Tests run beside each other: what hangs, hangs longer than that. */
const HANG_MS = 20_000;

type Some = Pick<FuzzOptions, 'seed' | 'count' | 'only' | 'captures'>;

/** Some damaged inputs, for tests. */
export async function fuzzSome(options: Some): Promise<FuzzReport> {
  const folder = mkdtempSync(join(tmpdir(), 'iorr-fuzz-'));
  try {
    await bundleFuzzer(folder);
    const places = { worker: join(folder, 'fuzz-worker.mjs'), root: join(import.meta.dirname, '../..') };
    return await runFuzz({ ...options, ...places, from: 0, jobs: 2, hangMs: HANG_MS });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Of all targets together. */
export function sumOf({ tallies }: FuzzReport): Omit<FuzzTally, 'target' | 'slowestMs'> {
  const sum = (of: (tally: FuzzTally) => number): number => tallies.reduce((all, tally) => all + of(tally), 0);
  const refused: Record<string, number> = {};
  for (const tally of tallies) {
    for (const [code, count] of Object.entries(tally.refused)) refused[code] = (refused[code] ?? 0) + count;
  }
  return {
    files: sum(({ files }) => files),
    opened: sum(({ opened }) => opened),
    refused,
    events: sum(({ events }) => events),
    largestAllocation: Math.max(...tallies.map(({ largestAllocation }) => largestAllocation)),
    largestTotal: Math.max(...tallies.map(({ largestTotal }) => largestTotal)),
  };
}
