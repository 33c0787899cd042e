import { ATTACH, CALL, INV_FORM, ORIGIN, OUTCOME, STREAM_ID } from '../../../../traces/schema.ts';
import type { TraceHeader } from '../../../../traces/header.ts';
import { MemoryTrace } from '../../../../traces/memory-trace.ts';
import { encodeSgList } from '../../../../traces/sg-list.ts';
import { testHeader } from '../../../../traces/testing/test-header.ts';

/** Small traces for tests, written event by event. Pages instead of addresses, microseconds instead of nanoseconds. */

const US = 1000;

function header(format: string): TraceHeader {
  return testHeader({
    sources: [{ format, producer: format }],
    clock: { epochNs: '0', name: format === 'qemu-log' ? 'realtime' : 'boot', resolutionNs: US },
    fidelity: format === 'qemu-log' ? { dma: 'full', inv: 'full' } : { map: 'full', unmap: 'full', inv: 'partial' },
  });
}

/** Who an event is of: `at` in microseconds. */
export interface Who {
  readonly at: number;
  readonly cpu?: number;
  readonly task?: number;
}

function setPage(columns: object, name: string, row: number, page: number, low = 0): void {
  (columns as Record<string, Int32Array>)[`${name}Lo`]![row] = ((page % 0x100000) * 4096 + low) | 0;
  (columns as Record<string, Int32Array>)[`${name}Hi`]![row] = Math.floor(page / 0x100000) | 0;
}

export class GuestTrace {
  readonly trace = new MemoryTrace(header('ftrace-text'));

  #begin(stream: keyof typeof STREAM_ID, { at, cpu = 0, task = 1 }: Who): number {
    return this.trace.begin(STREAM_ID[stream], at * US, cpu, task);
  }

  /** Assigns a cache tag, and attaches the device to the domain. */
  attach(who: Who, device: number, domain: number, pasid = 0): void {
    this.tag(who, ATTACH.tagAssign, -1, domain, pasid);
    const row = this.#begin('attach', who);
    const { columns } = this.trace.rows.attach;
    columns.kind[row] = ATTACH.attach;
    columns.device[row] = device;
  }

  tag(who: Who, kind: number, device: number, domain: number, pasid = 0): void {
    const row = this.#begin('attach', who);
    const { columns } = this.trace.rows.attach;
    columns.kind[row] = kind;
    columns.device[row] = device;
    columns.domain[row] = domain;
    columns.pasid[row] = pasid;
    columns.refs[row] = 1;
  }

  map(who: Who, page: number, pages = 1, phys = page + 0x5000): void {
    const row = this.#begin('map', who);
    const columns = this.trace.rows.map.columns;
    setPage(columns, 'iova', row, page);
    setPage(columns, 'phys', row, phys);
    setPage(columns, 'size', row, pages);
  }

  unmap(who: Who, page: number, pages = 1): void {
    const row = this.#begin('unmap', who);
    const columns = this.trace.rows.unmap.columns;
    setPage(columns, 'iova', row, page);
    setPage(columns, 'size', row, pages);
    setPage(columns, 'unmapped', row, pages);
  }

  /** A `dma:*` event: a byte in the first page to one in the last. */
  dmaMap(who: Who, device: number, page: number, pages = 1, call: number = CALL.page): void {
    const row = this.#begin('map', who);
    const { columns } = this.trace.rows.map;
    columns.origin[row] = ORIGIN.dmaApi;
    columns.call[row] = call;
    columns.device[row] = device;
    setPage(columns, 'iova', row, page, 16);
    columns.sizeLo[row] = pages * 4096 - 32;
  }

  dmaUnmap(who: Who, device: number, page: number, pages = 1, call: number = CALL.page): void {
    const row = this.#begin('unmap', who);
    const { columns } = this.trace.rows.unmap;
    columns.origin[row] = ORIGIN.dmaApi;
    columns.call[row] = call;
    columns.device[row] = device;
    setPage(columns, 'iova', row, page, 16);
    columns.sizeLo[row] = pages * 4096 - 32;
  }

  dmaMapSg(
    who: Who,
    device: number,
    segments: readonly (readonly [page: number, pages: number])[],
    phys: number[],
  ): void {
    const row = this.#begin('map', who);
    const { columns } = this.trace.rows.map;
    columns.origin[row] = ORIGIN.dmaApi;
    columns.call[row] = CALL.sg;
    columns.device[row] = device;
    setPage(columns, 'iova', row, segments[0]![0]);
    columns.sizeLo[row] = segments.reduce((sum, [, pages]) => sum + pages * 4096, 0);
    const dma = segments.map(([page, pages]) => ({ address: BigInt(page) << 12n, size: BigInt(pages) << 12n }));
    this.trace.setBytes(columns.list, row, encodeSgList({ dma, phys: phys.map((page) => BigInt(page) << 12n) }));
  }

  dmaUnmapSg(who: Who, device: number, phys: number[]): void {
    const row = this.#begin('unmap', who);
    const { columns } = this.trace.rows.unmap;
    columns.origin[row] = ORIGIN.dmaApi;
    columns.call[row] = CALL.sg;
    columns.device[row] = device;
    this.trace.setBytes(columns.list, row, encodeSgList({ dma: [], phys: phys.map((page) => BigInt(page) << 12n) }));
  }

  flush(who: Who, domain: number, page: number, pages = 1): void {
    const row = this.#begin('flush', who);
    const { columns } = this.trace.rows.flush;
    columns.domain[row] = domain;
    setPage(columns, 'start', row, page);
    setPage(columns, 'end', row, page + pages - 1, 0xfff);
  }

  /** A page-selective IOTLB invalidation, as `qi_submit` prints it. */
  submit(who: Who, domain: number, page: number): void {
    const row = this.#begin('inv', who);
    const { columns } = this.trace.rows.inv;
    columns.unit[row] = this.trace.intern('dmar0');
    columns.w0Lo[row] = 0xf2 | (domain << 16);
    setPage(columns, 'w1', row, page, 0x40);
  }
}

/** The log of the host that emulates the guest's IOMMU; its clock is `offset` microseconds ahead of the guest's. */
export class HostTrace {
  readonly trace = new MemoryTrace(header('qemu-log'));
  readonly #offset: number;

  constructor(offset = 0) {
    this.#offset = offset;
  }

  #begin(stream: keyof typeof STREAM_ID, at: number): number {
    return this.trace.begin(STREAM_ID[stream], (at + this.#offset) * US, -1, -1);
  }

  command(at: number, domain: number, page: number): void {
    const row = this.#begin('inv', at);
    const { columns } = this.trace.rows.inv;
    columns.w0Lo[row] = 0xf2 | (domain << 16);
    setPage(columns, 'w1', row, page, 0x40);
  }

  wait(at: number): void {
    const row = this.#begin('inv', at);
    const { columns } = this.trace.rows.inv;
    columns.w0Lo[row] = 0x25;
    columns.w0Hi[row] = 2;
  }

  doorbell(at: number, tail: number): void {
    const row = this.#begin('inv', at);
    const { columns } = this.trace.rows.inv;
    columns.form[row] = INV_FORM.doorbell;
    columns.w0Lo[row] = tail;
  }

  /** A command of another dialect, its words as int32 pairs. */
  words(at: number, dialect: number, form: number, words: readonly number[]): void {
    const row = this.#begin('inv', at);
    const columns = this.trace.rows.inv.columns as unknown as Record<string, Int32Array>;
    columns['dialect']![row] = dialect;
    columns['form']![row] = form;
    words.forEach((word, k) => {
      columns[`w${k >> 1}${k % 2 === 0 ? 'Lo' : 'Hi'}`]![row] = word;
    });
  }

  access(at: number, rid: number, page: number, out: number, outcome: number = OUTCOME.known, domain = -1): void {
    const row = this.#begin('dma', at);
    const { columns } = this.trace.rows.dma;
    columns.rid[row] = rid;
    columns.domain[row] = domain;
    columns.outcome[row] = outcome;
    columns.pageShift[row] = 12;
    setPage(columns, 'iova', row, page, 8);
    setPage(columns, 'out', row, out);
  }
}
