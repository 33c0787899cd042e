import { memorySource } from '../../traces/format/bytes-io.ts';
import type { ByteSource } from '../../traces/format/bytes-io.ts';
import { recordId } from '../ftrace/record-words.ts';
import { EVENT_FIDELITY, epochSeconds } from '../ftrace/trace-facts.ts';
import { HeldRun } from './held-run.ts';
import type { ImportHeader, Importer } from './importer.ts';
import { PerfDataRun } from './perf-data/perf-data-run.ts';
import { PERF_MAGIC, PERF_MAGIC_SWAPPED, readPerfFile } from './perf-data/perf-file.ts';
import { PerfRecords } from './perf-data/perf-records.ts';

/** Files of `perf record` of tracepoints; records as the kernel's ring buffer holds them. */
export const perfData: Importer = {
  name: 'perf-data',
  description: 'perf.data of perf record: tracepoints (iommu, intel_iommu, dma events, system calls)',
  side: 'guest',
  unit: 'records',
  keepsOthers: true,
  detect: (head) =>
    [PERF_MAGIC, PERF_MAGIC_SWAPPED].some((magic) => magic.every((byte, i) => head[i] === byte)) ? 1 : 0,
  describe: (head) => describe(memorySource(head)),
  create: (target) => new HeldRun(target, (held, bytes) => new PerfDataRun(held, bytes)),
  whole: { describe, create: (target, bytes) => new PerfDataRun(target, bytes) },
};

function describe(bytes: ByteSource): ImportHeader {
  const file = readPerfFile(bytes);
  const { kernel, cpus, pageBytes } = file;
  const { firstSeconds, intel } = scout(bytes, file);
  const epoch = epochSeconds(firstSeconds);
  return {
    source: { format: 'perf-data', producer: kernel === '' ? 'Linux' : `Linux ${kernel}` },
    host: {
      ...(kernel === '' ? {} : { kernel }),
      ...(cpus > 0 ? { cpus } : {}),
      ...(pageBytes > 0 ? { pageSize: pageBytes } : {}),
      ...(intel ? { iommu: 'vtd' } : {}),
    },
    clock: {
      epochNs: epoch === 0 ? '0' : `${BigInt(epoch) * 1_000_000_000n}`,
      name: 'perf',
      resolutionNs: 1,
    },
    fidelity: EVENT_FIDELITY,
  };
}

/** The first records: when they begin, and whether VT-d's driver speaks. */
function scout(bytes: ByteSource, file: ReturnType<typeof readPerfFile>): { firstSeconds: number; intel: boolean } {
  const ids = new Set(file.formats.filter(({ system }) => system === 'intel_iommu').map(({ id }) => id));
  const records = new PerfRecords(bytes, file, 0n, () => {});
  let first = Number.POSITIVE_INFINITY;
  let intel = false;
  let more = true;
  for (let window = 0; window < 2 && more; window++) more = records.read();
  records.settle();
  records.take(({ time, rawAt, rawLength }, bytes) => {
    if (time < first) first = time;
    if (rawAt >= 0 && rawLength >= 2) intel ||= ids.has(recordId(bytes, rawAt, file.littleEndian));
  });
  return { firstSeconds: Number.isFinite(first) ? Math.floor(first / 1e9) : 0, intel };
}
