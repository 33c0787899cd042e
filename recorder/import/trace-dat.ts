import { memorySource } from '../../traces/format/bytes-io.ts';
import type { ByteSource } from '../../traces/format/bytes-io.ts';
import { recordId } from '../ftrace/record-words.ts';
import { EVENT_FIDELITY, epochSeconds } from '../ftrace/trace-facts.ts';
import { HeldRun } from './held-run.ts';
import type { ImportHeader, ImportTarget, Importer, WholeImporter, WholeRun } from './importer.ts';
import type { DatFile } from './trace-dat/dat-file.ts';
import { MergedRecords } from './trace-dat/merged-records.ts';
import { MAGIC, readDatFile } from './trace-dat/read-file.ts';
import { TraceDatRun, openRecords } from './trace-dat/trace-dat-run.ts';

/** Records that are looked at for what machine they are of. */
const SCOUTED = 20_000;

/** Files of `trace-cmd record`, versions 6 and 7, compressed or not; records as the kernel's ring buffer holds them. */
export const traceDat: Importer & { readonly whole: WholeImporter } = {
  name: 'trace-dat',
  description: 'trace.dat of trace-cmd, versions 6 and 7 (iommu, intel_iommu, dma events, system calls)',
  side: 'guest',
  unit: 'records',
  keepsOthers: true,
  detect: (head) => (MAGIC.every((byte, i) => head[i] === byte) ? 1 : 0),
  describe: (head) => describe(memorySource(head)),
  create: (target) => new HeldRun(target, openRun),
  whole: { describe, create: openRun },
};

function openRun(target: ImportTarget, bytes: ByteSource): WholeRun {
  return new TraceDatRun(target, bytes);
}

function describe(bytes: ByteSource): ImportHeader {
  const file = readDatFile(bytes);
  const { firstSeconds, intel } = scout(bytes, file);
  const epoch = epochSeconds(firstSeconds);
  const kernel = file.uname.split(/\s+/)[2];
  const clock = file.buffers.find((buffer) => buffer.clock !== '')?.clock;
  return {
    source: { format: 'trace-dat', producer: kernel === undefined ? 'Linux' : `Linux ${kernel}` },
    host: {
      ...(kernel === undefined ? {} : { kernel }),
      ...(file.cpus > 0 ? { cpus: file.cpus } : {}),
      ...(file.pageBytes > 0 ? { pageSize: file.pageBytes } : {}),
      ...(intel ? { iommu: 'vtd' } : {}),
    },
    clock: {
      epochNs: epoch === 0 ? '0' : `${BigInt(epoch) * 1_000_000_000n}`,
      name: clock ?? 'unknown',
      resolutionNs: 1,
    },
    fidelity: EVENT_FIDELITY,
  };
}

/** The first records: when they begin, and whether VT-d's driver speaks. */
function scout(bytes: ByteSource, file: DatFile): { firstSeconds: number; intel: boolean } {
  const ids = new Set(file.formats.filter(({ system }) => system === 'intel_iommu').map(({ id }) => id));
  const cpus = openRecords(bytes, file, 0n, () => {});
  const { scale } = file;
  const factor = scale === undefined ? 1 : scale.mult / 2 ** scale.shift;
  const first = Math.min(...cpus.filter(({ live }) => live).map(({ time }) => time * factor));
  const records = new MergedRecords(cpus);
  let intel = false;
  for (let i = 0; i < SCOUTED && !intel; i++) {
    const from = records.next();
    if (from === undefined) break;
    const { bytes, at, length } = from.reader;
    intel = length >= 2 && ids.has(recordId(bytes, at, file.littleEndian));
    from.advance();
  }
  return { firstSeconds: Number.isFinite(first) ? Math.floor(first / 1e9) : 0, intel };
}
