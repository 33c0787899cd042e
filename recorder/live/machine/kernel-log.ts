import { closeSync, constants, openSync, readSync } from 'node:fs';

/** What the kernel's log says of its IOMMUs: features that sysfs does not show. */

const MAX_LINES = 64;
const MAX_TEXT = 200;
const MAX_RECORDS = 100_000;

/** Lines that say what a unit can do or how it was set up. */
const TELLING =
  /^(?:DMAR: (?!DRHD)|DMAR-IR: |AMD-Vi: |iommu: |arm-smmu-v3 |virtio_iommu |riscv,iommu |ACPI: (?:DMAR|IVRS|IORT|VIOT) )/;
/** Lines that come without end, or tell of single devices. */
const REPEATED = /Event logged|callbacks suppressed|Adding to iommu group|\[DMA |fault/i;

/** `6,1012,4711,-;DMAR: IOMMU enabled` (Documentation/ABI/testing/dev-kmsg): the text behind the semicolon. */
function textOf(record: string): string {
  const line = record.split('\n', 1)[0] ?? '';
  return line.slice(line.indexOf(';') + 1);
}

/** The telling ones of the log's records, each once, at most 64. */
export function tellingLines(records: Iterable<string>): readonly string[] {
  const lines = new Set<string>();
  for (const record of records) {
    const text = textOf(record).slice(0, MAX_TEXT);
    if (TELLING.test(text) && !REPEATED.test(text)) lines.add(text);
    if (lines.size >= MAX_LINES) break;
  }
  return [...lines];
}

/** Reads `/dev/kmsg` up to now; undefined where it may not be read (`kernel.dmesg_restrict`). */
export function readKernelLog(path = '/dev/kmsg'): readonly string[] | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const buffer = Buffer.alloc(8192);
  const records: string[] = [];
  let overwritten = 0;
  while (records.length < MAX_RECORDS && overwritten < MAX_RECORDS) {
    try {
      const got = readSync(descriptor, buffer, 0, buffer.length, null);
      if (got === 0) break;
      records.push(buffer.toString('utf8', 0, got));
    } catch (error) {
      // EPIPE: the record was overwritten meanwhile, the next read gives the oldest that is left. EAGAIN: that was all.
      if ((error as { code?: unknown }).code !== 'EPIPE') break;
      overwritten++;
    }
  }
  closeSync(descriptor);
  return tellingLines(records);
}
