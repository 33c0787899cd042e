import { DirtyWriter } from '../../replay/harvest/dirty-writer.ts';
import { HarvestLanes } from '../../replay/harvest/harvest-lanes.ts';
import { buildSharedTables } from '../../replay/harvest/table-memory.ts';
import { Random } from '../../traces/random.ts';
import type { BenchCase, BenchSuite } from '../suite.ts';

/** 128 MiB of tables: more than most caches hold. */
const TABLES = { format: 'vtd-second-stage-48', leafShift: 12, bytes: 2 ** 36 };
const THREADS = 2;

export const harvest: BenchSuite = {
  name: 'harvest',
  summary: 'dirty bits of 64 GiB in 4 KiB leaves, found and cleared in real page tables',
  async prepare() {
    const shared = buildSharedTables(TABLES);
    const lanes = await HarvestLanes.start(shared, THREADS);
    const writer = new DirtyWriter(shared, undefined, 1);
    const random = new Random(1);
    const amount = shared.leafBytes;
    const of = (share: number, threads: number): BenchCase => ({
      name: `${share * 100} % dirty, ${threads} thread${threads === 1 ? '' : 's'}`,
      amount,
      unit: 'bytes',
      before() {
        lanes.bits.fill(0);
        for (let i = 0; i < shared.pages * share; i++) writer.writeTo(random.below(shared.pages));
      },
      run: () => lanes.harvest(threads).leaves,
    });
    const cases = [of(0, 1), of(0, THREADS), of(0.001, 1), of(0.01, 1), of(0.01, THREADS)];
    return { cases, close: () => lanes.stop() };
  },
};
