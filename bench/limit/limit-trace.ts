import { IorrError } from '../../traces/errors.ts';
import { FORMAT_VERSION } from '../../traces/header.ts';
import type { TraceHeader } from '../../traces/header.ts';
import { ACCESS, ATTACH, DIALECT, INV_FORM, ORIGIN, STREAM_ID } from '../../traces/schema.ts';
import type { EventSink } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';
import { SMMUV3_OPCODE } from '../../traces/dialects/smmuv3-fields.ts';

/**
 * Event streams of the speed limit, a replay kernel in C over 8-byte events: bits 3:0 operation, 11:4 pages of a range, 47:12
 * page number, 63:48 domain. As a trace they are accesses and SMMUv3 commands, the dialect whose ranges need not be aligned:
 * each domain is an ASID. A range of more than 32 pages that is no multiple of a power of two becomes two commands.
 */
export const LIMIT_OPERATION = { read: 0, write: 1, invalidateRange: 2, invalidateDomain: 3 } as const;

/** Output page of a mapped page, as the C program computes it. */
export function limitOutputPage(page: number): number {
  return (Math.imul(page, 2654435761 | 0) >>> 8) + 1;
}

/** Requester of a domain: each has one device. */
export function limitRequester(domain: number): number {
  return 0x100 + domain * 8;
}

const NANOSECONDS_PER_EVENT = 10;
const LEAF = 1;
const TTL_LEVEL_3 = 3 << 8;
const GRANULE_4K = 1 << 10;
const MAX_NUM = 32;

export function limitHeader(name: string): TraceHeader {
  return {
    formatVersion: FORMAT_VERSION,
    tool: 'iorr',
    toolVersion: '0',
    sources: [{ format: 'limit', producer: name }],
    host: { pageSize: 4096, iommu: 'smmuv3' },
    clock: { epochNs: '0', name: 'event number', resolutionNs: NANOSECONDS_PER_EVENT },
    fidelity: { map: 'full', attach: 'full', inv: 'full', dma: 'full' },
  };
}

/** Where the words of a `.map` or `.ev` file are. Throws `FORMAT_UNKNOWN` for a length that is no whole number of words. */
function wordsOf(bytes: Uint8Array, what: string): DataView {
  if (bytes.length % 8 !== 0) {
    throw new IorrError(
      'FORMAT_UNKNOWN',
      `${what} holds ${bytes.length} bytes, which is no whole number of 8-byte words`,
      {
        hint: 'generate it again',
      },
    );
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Writes attachments, mappings, then up to `limit` events into the sink; returns how many ranges became two commands. */
export function writeLimitTrace(sink: EventSink, maps: Uint8Array, events: Uint8Array, limit: number): number {
  writeLimitMaps(sink, maps);
  return writeLimitEvents(sink, events, 0, limit);
}

/** Writes mappings, and before a domain's first its attachment. */
export function writeLimitMaps(sink: EventSink, maps: Uint8Array): void {
  const mapped = wordsOf(maps, 'the map file');
  const unit = sink.intern('smmu0');
  const seen = new Set<number>();
  for (let at = 0; at < mapped.byteLength; at += 8) {
    const lo = mapped.getInt32(at, true);
    const hi = mapped.getInt32(at + 4, true);
    const domain = hi >>> 16;
    if (!seen.has(domain)) attach(sink, unit, domain);
    seen.add(domain);
    const page = ((lo >>> 12) | (hi << 20)) >>> 0;
    const { map } = sink.rows;
    const row = sink.begin(STREAM_ID.map, 0, 0, 0);
    const columns = map.columns;
    columns.origin[row] = ORIGIN.iommu;
    columns.domain[row] = domain;
    columns.device[row] = limitRequester(domain);
    columns.iovaLo[row] = lo & -0x1000;
    columns.iovaHi[row] = hi & 0xffff;
    const out = limitOutputPage(page);
    columns.physLo[row] = out << 12;
    columns.physHi[row] = out >>> 20;
    columns.sizeLo[row] = 4096;
    columns.sizeHi[row] = 0;
    columns.prot[row] = ACCESS.read | ACCESS.write;
  }
}

/** Writes up to `limit` events, the first of them with this number; returns how many ranges became two commands. */
export function writeLimitEvents(sink: EventSink, events: Uint8Array, first: number, limit: number): number {
  const stream = wordsOf(events, 'the event file');
  const unit = sink.intern('smmu0');
  const count = Math.min(limit, stream.byteLength / 8);
  let pieces = 0;
  for (let i = 0; i < count; i++) {
    const lo = stream.getInt32(i * 8, true);
    const hi = stream.getInt32(i * 8 + 4, true);
    const time = (first + i) * NANOSECONDS_PER_EVENT;
    const operation = lo & 15;
    if (operation <= LIMIT_OPERATION.write) access(sink, time, lo, hi, operation);
    else if (operation === LIMIT_OPERATION.invalidateDomain) {
      command(sink, unit, time, SMMUV3_OPCODE.tlbiNhAsid, (hi >>> 16) << 16, 0, 0);
    } else pieces += range(sink, unit, time, lo, hi) - 1;
  }
  return pieces;
}

function attach(sink: EventSink, unit: number, domain: number): void {
  const { columns } = sink.rows.attach;
  const row = sink.begin(STREAM_ID.attach, 0, 0, 0);
  columns.kind[row] = ATTACH.attach;
  columns.unit[row] = unit;
  columns.device[row] = limitRequester(domain);
  columns.pasid[row] = ABSENT;
  columns.domain[row] = domain;
  columns.type[row] = ABSENT;
  columns.refs[row] = 1;
  columns.result[row] = 0;
}

function access(sink: EventSink, time: number, lo: number, hi: number, operation: number): void {
  const row = sink.begin(STREAM_ID.dma, time, 0, 0);
  const { columns } = sink.rows.dma;
  const domain = hi >>> 16;
  columns.rid[row] = limitRequester(domain);
  columns.pasid[row] = ABSENT;
  columns.domain[row] = domain;
  columns.iovaLo[row] = lo & -0x1000;
  columns.iovaHi[row] = hi & 0xffff;
  columns.length[row] = 64;
  columns.access[row] = operation === LIMIT_OPERATION.write ? ACCESS.write : ACCESS.read;
  columns.outcome[row] = 0;
  columns.outLo[row] = 0;
  columns.outHi[row] = 0;
  columns.pageShift[row] = 12;
  columns.perm[row] = ABSENT;
}

/** First word of a TLBI for `num` times 2^`scale` pages; the second has the ASID in its high half. */
export function rangeCommand(num: number, scale: number): number {
  return SMMUV3_OPCODE.tlbiNhVa | ((num - 1) << 12) | (scale << 20);
}

/** Third word of it; the fourth is the high word of the address. */
export function rangeAddress(page: number): number {
  return ((page % 0x100000) << 12) | LEAF | TTL_LEVEL_3 | GRANULE_4K;
}

/** NUM and SCALE of the largest range that one command can name, then what is left; returns how many commands those are. */
function range(sink: EventSink, unit: number, time: number, lo: number, hi: number): number {
  let commands = 0;
  let left = (lo >>> 4) & 0xff;
  let page = (hi & 0xffff) * 0x100000 + (lo >>> 12);
  const asid = hi & -0x10000;
  while (left > 0) {
    let scale = 0;
    while ((left >>> scale) & 1 ? false : left >>> scale > MAX_NUM) scale++;
    const num = Math.min(MAX_NUM, left >>> scale);
    command(sink, unit, time, rangeCommand(num, scale), asid, rangeAddress(page), Math.floor(page / 0x100000));
    page += num << scale;
    left -= num << scale;
    commands++;
  }
  return commands;
}

function command(
  sink: EventSink,
  unit: number,
  time: number,
  w0Lo: number,
  w0Hi: number,
  w1Lo: number,
  w1Hi: number,
): void {
  const row = sink.begin(STREAM_ID.inv, time, 0, 0);
  const { columns } = sink.rows.inv;
  columns.unit[row] = unit;
  columns.queue[row] = 0;
  columns.dialect[row] = DIALECT.smmuv3;
  columns.form[row] = INV_FORM.words;
  columns.w0Lo[row] = w0Lo;
  columns.w0Hi[row] = w0Hi;
  columns.w1Lo[row] = w1Lo;
  columns.w1Hi[row] = w1Hi;
  columns.w2Lo[row] = 0;
  columns.w2Hi[row] = 0;
  columns.w3Lo[row] = 0;
  columns.w3Hi[row] = 0;
  columns.lagLo[row] = 0;
  columns.lagHi[row] = 0;
}
