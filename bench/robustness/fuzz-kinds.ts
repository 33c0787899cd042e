import { IMPORTERS } from '../../recorder/import/importers.ts';
import { Random } from '../../traces/random.ts';
import { fuzzColumns } from './fuzz-columns.ts';
import { fuzzCompressed } from './fuzz-compressed.ts';
import { DOCUMENTS, fuzzDocument } from './fuzz-documents.ts';
import { fuzzImporter } from './fuzz-importers.ts';
import { fuzzInputs } from './fuzz-inputs.ts';
import { fuzzJoins } from './fuzz-joins.ts';
import { fuzzLogs } from './fuzz-logs.ts';
import { fuzzReplays } from './fuzz-replays.ts';
import type { FuzzKind } from './fuzz-target.ts';
import { fuzzTraces } from './fuzz-traces.ts';

/** All that reads what others wrote. Importers and documents of the registries are in it by themselves. */
export const FUZZ_KINDS: readonly FuzzKind[] = [
  { name: 'trace', weight: 40, create: () => fuzzTraces() },
  { name: 'columns', weight: 40, create: () => fuzzColumns() },
  ...IMPORTERS.map(
    (importer): FuzzKind => ({
      name: `import-${importer.name}`,
      weight: 25,
      create: (places) => fuzzImporter(importer, places),
    }),
  ),
  { name: 'log', weight: 20, create: () => fuzzLogs() },
  { name: 'input', weight: 10, create: fuzzInputs },
  { name: 'compressed', weight: 5, create: fuzzCompressed },
  { name: 'join', weight: 5, create: () => fuzzJoins() },
  ...DOCUMENTS.map((document): FuzzKind => ({ name: document.name, weight: 5, create: () => fuzzDocument(document) })),
  { name: 'replay', weight: 1, create: () => fuzzReplays() },
];

/** Which target each case is for: `order[number % order.length]`. Throws `RangeError` for a name that is none. */
export function fuzzOrder(only: readonly string[] | undefined): readonly FuzzKind[] {
  const unknown = only?.find((name) => !FUZZ_KINDS.some((kind) => kind.name === name));
  if (unknown !== undefined) throw new RangeError(`no target ${unknown}`);
  const kinds = FUZZ_KINDS.filter(({ name }) => only?.includes(name) ?? true);
  if (kinds.length === 1) return kinds;
  // spread evenly: the n-th of w turns of a target comes at n / w of the whole
  const turns = kinds.flatMap((kind) =>
    Array.from({ length: kind.weight }, (_, n) => ({ kind, at: (n + 0.5) / kind.weight })),
  );
  return turns.sort((a, b) => a.at - b.at).map(({ kind }) => kind);
}

/** Random numbers of a case: of its seed, target and number alone. `use` tells those that make it from those that take it. */
export function caseRandom(seed: number, target: string, number: number, use: 'make' | 'take'): Random {
  let hash = seed | 0;
  for (const char of `${use} ${target}`) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return new Random((hash >>> 0) * 0x100000 + number);
}
