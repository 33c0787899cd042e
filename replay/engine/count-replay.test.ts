import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createTrace, openTrace } from '../../traces/file.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { Random } from '../../traces/random.ts';
import { ATTACH, ORIGIN, STREAM_ID } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import { armSmmuv3Generic } from '../hardware/arm-smmuv3-generic.ts';
import { HARDWARE } from '../hardware/profiles.ts';
import { countInStretches, countInWorkers } from './count-pool.ts';
import { countSteps } from './count-replay.ts';
import type { CountedReplay, CountOptions } from './count-replay.ts';
import { deriveIntents } from './derived-trace.ts';
import { replayTrace } from './replay.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const full = process.env['IORR_FULL'] === '1';
const corpus = join(import.meta.dirname, '../../traces/corpus');
const files = readdirSync(corpus).filter((name) => name.endsWith('.iorr'));
const scratch = mkdtempSync(join(tmpdir(), 'iorr-count-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function count(file: string, options: CountOptions): CountedReplay {
  const trace = openTrace(file);
  const steps = countSteps(trace, options);
  try {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  } finally {
    trace.close();
  }
}

/** Accesses of four devices to pages of which some are popular; 512 of each device are mapped, more are accessed. */
function writeAccesses(file: string, accesses: number): void {
  const random = new Random(5);
  const writer = createTrace(file, testHeader({ host: { iommu: 'smmuv3' } }));
  const { rows } = writer;
  for (let domain = 1; domain <= 4; domain++) {
    const at = writer.begin(STREAM_ID.attach, 0, 0, 0);
    rows.attach.columns.kind[at] = ATTACH.attach;
    rows.attach.columns.device[at] = domain * 8;
    rows.attach.columns.domain[at] = domain;
    for (let page = 0; page < 512; page++) {
      const row = writer.begin(STREAM_ID.map, 0, 0, 0);
      const { columns } = rows.map;
      columns.origin[row] = ORIGIN.iommu;
      columns.domain[row] = domain;
      columns.iovaLo[row] = page << 12;
      columns.physLo[row] = (page * 6 + domain) << 12;
      columns.sizeLo[row] = 4096;
    }
  }
  for (let i = 0; i < accesses; i++) {
    const row = writer.begin(STREAM_ID.dma, i, 0, 0);
    const { columns } = rows.dma;
    columns.rid[row] = (1 + random.below(4)) * 8;
    columns.pasid[row] = ABSENT;
    columns.iovaLo[row] = Math.floor(600 * random.unit() ** 3) << 12;
  }
  writer.finish({ health: EMPTY_HEALTH, notes: {} });
}

describe('a replay that only counts', () => {
  const suited = HARDWARE.filter(({ iotlb }) => iotlb === 'set-associative');

  test.each(files)('%s: counts what the whole machine does, in any number of stretches', (name) => {
    const file = join(corpus, name);
    const trace = openTrace(file);
    const derived = deriveIntents(trace) !== undefined;
    // all of them take minutes
    for (const hardware of full ? suited : suited.filter((one) => one.architecture === 'vtd').slice(0, 1)) {
      const counted = count(file, { hardware });
      const { iotlb, commands, commandsByType, syncs, walks } = replayTrace(trace, { hardware });
      expect({ ...counted, hardware: hardware.name }).toMatchObject({ commands, commandsByType, syncs, walks });
      expect(counted.iotlb).toEqual(
        iotlb === null ? null : { lookups: iotlb.lookups, hits: iotlb.hits, misses: iotlb.misses },
      );
      if (derived || counted.engine === 'machine') continue;
      const whole = countInStretches(trace, hardware, 1);
      for (const stretches of full ? [2, 3, 8, 64] : [3]) {
        const counts = countInStretches(trace, hardware, stretches);
        if (counts !== undefined) expect(counts).toEqual(whole);
      }
    }
    trace.close();
  });

  test('workers count what one thread does', async () => {
    const file = join(scratch, 'dma.iorr');
    writeAccesses(file, 300_000);
    const trace = openTrace(file);
    const whole = countInStretches(trace, armSmmuv3Generic, 1);
    expect(whole?.lookups).toBe(300_000);
    const never = new AbortController().signal;
    for (const workers of [2, 5]) {
      expect(await countInWorkers(file, trace, armSmmuv3Generic, workers, { signal: never })).toEqual(whole);
    }
    const signal = AbortSignal.abort();
    expect(await countInWorkers(file, trace, armSmmuv3Generic, 2, { signal })).toBeUndefined();
    trace.close();
  });
});
