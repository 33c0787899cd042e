import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ReplayCounts } from '../../replay/engine/counting-replay.ts';
import { createTrace } from '../../traces/file.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { Random } from '../../traces/random.ts';
import { playLimit } from './limit-run.ts';
import { LIMIT_OPERATION, limitHeader, writeLimitTrace } from './limit-trace.ts';

const SOURCES = join(import.meta.dirname, '../../../shared/limit');
/** Built by `npm test`. */
const BUILT = join(import.meta.dirname, '../../dist/bench/limit/limit-run.js');
const full = process.env['IORR_FULL'] === '1';
const compiler = spawnSync('cc', ['--version']).status === 0;
const scratch = mkdtempSync(join(tmpdir(), 'iorr-limit-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const SETS = 64;
const WAYS = 4;

function words(values: readonly (readonly [lo: number, hi: number])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 8));
  values.forEach(([lo, hi], i) => {
    view.setInt32(i * 8, lo, true);
    view.setInt32(i * 8 + 4, hi, true);
  });
  return new Uint8Array(view.buffer);
}

/** Word of an event or of a mapping. */
function word(operation: number, pages: number, page: number, domain: number): readonly [number, number] {
  return [operation | (pages << 4) | ((page << 12) | 0), (page >>> 20) | (domain << 16)];
}

/** The limit's rules with lists and nothing else: a set is a list of keys from newest to oldest, an emptied way a null. */
function slowly(
  events: readonly (readonly [number, number, number, number])[],
): Pick<ReplayCounts, 'lookups' | 'hits' | 'misses' | 'walkReads' | 'faults' | 'invalidated'> {
  const sets = Array.from({ length: SETS }, () => Array.from({ length: WAYS }, (): string | null => null));
  const setOf = (page: number, domain: number): (string | null)[] =>
    sets[(page ^ (page >>> 6) ^ (domain * 37)) & (SETS - 1)] ?? [];
  let hits = 0;
  let misses = 0;
  let invalidated = 0;
  for (const [operation, pages, page, domain] of events) {
    if (operation <= LIMIT_OPERATION.write) {
      const set = setOf(page, domain);
      const key = `${domain}:${page}`;
      const at = set.indexOf(key);
      if (at >= 0) hits++;
      else misses++;
      set.splice(at >= 0 ? at : WAYS - 1, 1);
      set.unshift(key);
      continue;
    }
    for (const set of sets) {
      set.forEach((key, way) => {
        if (key === null) return;
        const [own = -1, at = -1] = key.split(':').map(Number);
        if (own !== domain) return;
        if (operation === LIMIT_OPERATION.invalidateRange && (at < page || at >= page + pages)) return;
        set[way] = null;
        invalidated++;
      });
    }
  }
  return { lookups: hits + misses, hits, misses, walkReads: misses * 4, faults: 0, invalidated };
}

describe('streams of the speed limit', () => {
  test('a converted stream has the counts of its rules', () => {
    const random = new Random(7);
    const first = 0x100000;
    const maps = Array.from({ length: 3 * 900 }, (_, i) => word(0, 0, first + (i % 900), Math.floor(i / 900)));
    const events = Array.from({ length: 30_000 }, (): readonly [number, number, number, number] => {
      const domain = random.below(3);
      const page = first + Math.floor(800 * (random.below(1000) / 1000) ** 3);
      if (random.chance(0.01)) return [LIMIT_OPERATION.invalidateRange, 1 + random.below(64), page, domain];
      if (random.chance(0.001)) return [LIMIT_OPERATION.invalidateDomain, 0, page, domain];
      return [random.below(2), 0, page, domain];
    });
    const trace = new MemoryTrace(limitHeader('test'));
    const stream = words(events.map(([operation, pages, page, domain]) => word(operation, pages, page, domain)));
    expect(writeLimitTrace(trace, words(maps), stream, 1e9)).toBe(events.length);
    expect(playLimit(trace)).toMatchObject(slowly(events));
  });

  test('a file that is no whole number of words is refused', () => {
    const trace = new MemoryTrace(limitHeader('test'));
    expect(() => writeLimitTrace(trace, new Uint8Array(12), new Uint8Array(8), 1)).toThrow(/no whole number/);
  });
});

interface LimitRun {
  readonly misses: number;
  readonly walkReads: number;
  readonly faults: number;
  readonly invalidated: number;
  readonly rate: number;
}

/** The C program's own report. */
function runLimit(name: string): LimitRun {
  const text = execFileSync(join(scratch, 'limit'), [name, '3'], { cwd: scratch, encoding: 'utf8' });
  // dma  C 1T median 380.1 best ... (cpu-time med 380.0) | ... | hit 0.8807 miss 236817 walk 947268 fault 0 inv 197303 cmd 14592 ...
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  return {
    misses: number(/ miss (\d+)/),
    walkReads: number(/ walk (\d+)/),
    faults: number(/ fault (\d+)/),
    invalidated: number(/ inv (\d+)/),
    rate: number(/cpu-time med ([\d.]+)/),
  };
}

const EVENTS = 8_000_000;
/** What is asked for, and what the C program does on a quiet machine of two cores: million events per CPU-second. */
const STREAMS = [
  ['dma', 'gen-dma', ['dma', String(EVENTS)], 40, 380],
  ['z12', 'gen-zipf', ['z12', String(EVENTS), '65536', '1.2', '16', '10'], 20, 110],
] as const;

describe('against the C program', () => {
  const can = full && existsSync(SOURCES) && compiler;

  beforeAll(() => {
    if (!full) return;
    if (!can) {
      process.stderr.write('the speed limit is left out: ../shared/limit and a C compiler are needed\n');
      return;
    }
    const build = (name: string, flags: readonly string[], libraries: readonly string[]): void => {
      execFileSync('cc', [...flags, '-o', join(scratch, name), join(SOURCES, `${name}.c`), ...libraries]);
    };
    build('limit', ['-O3', '-march=native'], ['-lm', '-lpthread']);
    for (const name of ['gen-dma', 'gen-zipf']) build(name, ['-O2'], ['-lm']);
  });

  test.skipIf(!can).each(STREAMS)('%s: the same counts, and its share of the speed', { timeout: 600_000 }, (...row) => {
    const [name, generator, args, least, quiet] = row;
    execFileSync(join(scratch, generator), args, { cwd: scratch });
    const file = join(scratch, `${name}.iorr`);
    const writer = createTrace(file, limitHeader(name));
    writeLimitTrace(
      writer,
      readFileSync(join(scratch, `${name}.map`)),
      readFileSync(join(scratch, `${name}.ev`)),
      EVENTS,
    );
    writer.finish({ health: EMPTY_HEALTH, notes: {} });
    const rates: number[] = [];
    const limits: number[] = [];
    for (let round = 0; round < 5; round++) {
      const limit = runLimit(name);
      const text = execFileSync(process.execPath, [BUILT, file], { encoding: 'utf8' });
      const { rate, misses, walkReads, faults, invalidated } = JSON.parse(text) as ReturnType<typeof playLimit>;
      const { rate: limitRate, ...counts } = limit;
      expect({ misses, walkReads, faults, invalidated }).toEqual(counts);
      rates.push(rate);
      limits.push(limitRate);
    }
    const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[2] ?? 0;
    const share = median(rates.map((rate, i) => rate / (limits[i] ?? Number.NaN)));
    process.stdout.write(
      `${name}: ${median(rates).toFixed(1)} M events per CPU-second, the C program ${median(limits).toFixed(1)}; median share ${(share * 100).toFixed(1)}%\n`,
    );
    // absolute rates are those of the machine at that moment: the share of the C program in the same run is not
    expect(share).toBeGreaterThanOrEqual(least / quiet);
  });
});
