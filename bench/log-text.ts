import { plainEvents } from '../traces/event.ts';
import type { PlainEvent } from '../traces/event.ts';
import { ACCESS, ATTACH, FLUSH, INV_FORM, ORIGIN, RESET } from '../traces/schema.ts';
import type { Trace } from '../traces/trace.ts';
import { formatRequester } from '../traces/units.ts';

/** A simulated trace as the text that a kernel or an emulator would have written: inputs of any size for the importers. */

/** Time stamps of the emulator's log begin here. */
const HOST_EPOCH_MS = Date.UTC(2026, 0, 1);
/** QEMU's IOTLB holds so many entries and is emptied whole when full (hw/i386/intel_iommu.c). */
const QEMU_IOTLB_ENTRIES = 1024;
const PAGE = 0xfffn;

function num(event: PlainEvent, column: string): number {
  const value = event.fields[column];
  return typeof value === 'bigint' ? Number(value) : typeof value === 'number' ? value : -1;
}

function big(event: PlainEvent, column: string): bigint {
  const value = event.fields[column];
  return typeof value === 'bigint' ? value : 0n;
}

const hex = (value: bigint | number): string => value.toString(16);
const wide = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;

function direction(prot: number): string {
  return prot === ACCESS.read ? 'TO_DEVICE' : prot === ACCESS.write ? 'FROM_DEVICE' : 'BIDIRECTIONAL';
}

/** The event and its fields as tracefs prints them; undefined for what a kernel can't see. */
function guestText(event: PlainEvent): string | undefined {
  switch (event.stream) {
    case 'map': {
      const iova = big(event, 'iova');
      const size = big(event, 'size');
      if (num(event, 'origin') === ORIGIN.iommu) {
        return `map: IOMMU: iova=${wide(iova)} - ${wide(iova + size)} paddr=${wide(big(event, 'phys'))} size=${size}`;
      }
      const dir = direction(num(event, 'prot'));
      const device = formatRequester(num(event, 'device'));
      return `dma_map_page: ${device} dir=${dir} dma_addr=${hex(iova)} size=${size} phys_addr=${hex(big(event, 'phys'))} attrs=`;
    }
    case 'unmap': {
      const iova = big(event, 'iova');
      const size = big(event, 'size');
      if (num(event, 'origin') === ORIGIN.iommu) {
        return `unmap: IOMMU: iova=${wide(iova)} - ${wide(iova + size)} size=${size} unmapped_size=${big(event, 'unmapped')}`;
      }
      const device = formatRequester(num(event, 'device'));
      return `dma_unmap_page: ${device} dir=BIDIRECTIONAL dma_addr=${hex(iova)} size=${size} attrs=`;
    }
    case 'attach': {
      const device = formatRequester(num(event, 'device'));
      const kind = num(event, 'kind');
      if (kind === ATTACH.groupAdd) return `add_device_to_group: IOMMU: groupID=${num(event, 'refs')} device=${device}`;
      if (kind === ATTACH.attach) return `attach_device_to_domain: IOMMU: device=${device}`;
      return `cache_tag_assign: dmar0/dmar0 type iotlb did ${num(event, 'domain')} pasid 0 ref 1`;
    }
    case 'flush': {
      if (num(event, 'op') !== FLUSH.range) return undefined;
      const mask = num(event, 'mask');
      const range = `[0x${hex(big(event, 'start'))}-0x${hex(big(event, 'end'))}] addr 0x${hex(big(event, 'addr'))}`;
      const head = `cache_tag_flush_range: dmar0 dmar0[0] type iotlb did ${num(event, 'domain')}`;
      return `${head} ${range} pages 0x${hex(2 ** mask)} mask 0x${hex(mask)}`;
    }
    case 'inv': {
      const w0 = big(event, 'w0');
      // qi_submit is not called for wait descriptors (type 5).
      if (num(event, 'form') !== INV_FORM.words || (w0 & 0xfn) === 5n) return undefined;
      return `qi_submit: iotlb_inv dmar0: 0x${hex(w0)} 0x${hex(big(event, 'w1'))} 0x0 0x0`;
    }
    default:
      return undefined;
  }
}

/** The guest's side of a simulated trace as tracefs text, line by line without line feeds; times in microseconds. */
export function* guestLog(trace: Trace): Generator<string> {
  yield '# tracer: nop';
  yield '#';
  for (const segment of trace.segments()) {
    for (const event of plainEvents(segment, trace.strings)) {
      const text = guestText(event);
      if (text === undefined) continue;
      const seconds = Math.floor(event.time / 1e9);
      const micros = String(Math.floor((event.time - seconds * 1e9) / 1000)).padStart(6, '0');
      const head = `             nic-${String(Math.max(event.task, 0)).padEnd(6)}  [${String(Math.max(event.cpu, 0)).padStart(3, '0')}] d..1.`;
      yield `${head} ${String(seconds).padStart(5)}.${micros}: ${text}`;
    }
  }
}

function hostTime(ns: number): string {
  const micros = Math.floor(ns / 1000);
  const stamp = new Date(HOST_EPOCH_MS + Math.floor(micros / 1000)).toISOString().slice(0, 23);
  return `${stamp}${String(micros % 1000).padStart(3, '0')}Z`;
}

/** What the emulator's IOTLB does with each access and command; it decides which lines its log has. */
class EmulatedIotlb {
  readonly #entries = new Map<string, { readonly domain: bigint; readonly page: bigint }>();

  *access(event: PlainEvent): Generator<string> {
    const iova = big(event, 'iova');
    const out = big(event, 'out');
    const rid = num(event, 'rid');
    const domain = num(event, 'domain');
    const key = `${rid} ${iova >> 12n}`;
    const what = `sid 0x${hex(rid)} iova 0x${hex(iova)} slpte 0x${hex((out & ~PAGE) | 3n)} domain 0x${hex(domain)}`;
    if (this.#entries.has(key)) yield `vtd_iotlb_page_hit IOTLB page hit ${what}`;
    else {
      yield `vtd_iotlb_page_update IOTLB page update ${what}`;
      if (this.#entries.size >= QEMU_IOTLB_ENTRIES) {
        this.#entries.clear();
        yield 'vtd_iotlb_reset IOTLB reset (reason: iotlb exceeds size limit)';
      }
      this.#entries.set(key, { domain: BigInt(domain), page: iova >> 12n });
    }
    const device = formatRequester(rid).slice(5).replace('.', '.0');
    yield `vtd_dmar_translate dev ${device} iova 0x${hex(iova & ~PAGE)} -> gpa 0x${hex(out & ~PAGE)} mask 0xfff`;
  }

  /** Drops what a page- or domain-selective IOTLB descriptor names. */
  invalidate(w0: bigint, w1: bigint): void {
    const domain = (w0 >> 16n) & 0xffffn;
    const pageSelective = ((w0 >> 4n) & 3n) === 3n;
    const mask = w1 & 0x3fn;
    for (const [key, entry] of this.#entries) {
      if (entry.domain !== domain) continue;
      if (!pageSelective || entry.page >> mask === (w1 >> 12n) >> mask) this.#entries.delete(key);
    }
  }
}

function* commandLines(event: PlainEvent, iotlb: EmulatedIotlb): Generator<string> {
  const w0 = big(event, 'w0');
  const w1 = big(event, 'w1');
  const form = num(event, 'form');
  if (form === INV_FORM.doorbell) {
    yield `vtd_inv_qi_tail write tail ${w0}`;
    yield 'vtd_inv_qi_fetch ';
  } else if (form === INV_FORM.reset) {
    if (Number(w0) === RESET.queueSetup) yield `vtd_inv_qi_setup addr 0x${hex(w1)} size ${big(event, 'w2')}`;
    else yield 'vtd_dmar_enable enable 1';
  } else if ((w0 & 0xfn) === 5n) {
    yield `vtd_inv_desc invalidate desc type wait high 0x${hex(w1)} low 0x${hex(w0)}`;
    yield `vtd_inv_desc_wait_sw wait invalidate status write addr 0x${hex(w1)} data 0x2`;
  } else {
    const domain = (w0 >> 16n) & 0xffffn;
    yield `vtd_inv_desc invalidate desc type iotlb high 0x${hex(w1)} low 0x${hex(w0)}`;
    if (((w0 >> 4n) & 3n) === 3n) {
      yield `vtd_inv_desc_iotlb_pages iotlb invalidate domain 0x${hex(domain)} addr 0x${hex(w1 & ~PAGE)} mask 0x${hex(w1 & 0x3fn)}`;
    } else yield `vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x${hex(domain)}`;
    iotlb.invalidate(w0, w1);
  }
}

/** The hardware's side of a simulated trace as QEMU's log, line by line without line feeds. */
export function* hostLog(trace: Trace): Generator<string> {
  const iotlb = new EmulatedIotlb();
  for (const segment of trace.segments()) {
    for (const event of plainEvents(segment, trace.strings)) {
      const stamp = hostTime(event.time);
      if (event.stream === 'dma') for (const line of iotlb.access(event)) yield `${stamp} ${line}`;
      else if (event.stream === 'inv') for (const line of commandLines(event, iotlb)) yield `${stamp} ${line}`;
    }
  }
}

/** Lines as bytes, in chunks of about 64 KiB. */
export function* textChunks(lines: Iterable<string>): Generator<Uint8Array> {
  let text = '';
  for (const line of lines) {
    text += `${line}\n`;
    if (text.length < 65536) continue;
    yield Buffer.from(text, 'utf8');
    text = '';
  }
  if (text !== '') yield Buffer.from(text, 'utf8');
}
