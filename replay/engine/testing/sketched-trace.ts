import type { TraceHeader } from '../../../traces/header.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { ATTACH, DIALECT, FLUSH, INV_FORM, RESET, STREAM_ID } from '../../../traces/schema.ts';
import { highWord, lowWord } from '../../../traces/units.ts';
import { testHeader } from '../../../traces/testing/test-header.ts';

const HEADER: TraceHeader = testHeader({
  host: { iommu: 'vtd' },
  fidelity: { map: 'full', unmap: 'full', inv: 'full', attach: 'full' },
});

/** A small trace written by hand, for tests: one line an event. Times in ns; pages are 4 KiB page numbers. */
export class SketchedTrace {
  readonly trace = new MemoryTrace(HEADER);
  readonly unit: number = this.trace.intern('dmar0');
  time = 0;
  cpu = 0;
  task = 1;
  /** Of the commands that follow. */
  dialect: number = DIALECT.vtd;
  form: number = INV_FORM.words;

  /** Sets the submitter of what follows. */
  by(cpu: number, task: number): this {
    this.cpu = cpu;
    this.task = task;
    return this;
  }

  /** Commands that follow are of this dialect, and as a log of their unit's side shows them. */
  speaking(dialect: keyof typeof DIALECT, form: keyof typeof INV_FORM = 'decoded'): this {
    this.dialect = DIALECT[dialect];
    this.form = INV_FORM[form];
    return this;
  }

  /** Moves the time forward. */
  after(ns: number): this {
    this.time += ns;
    return this;
  }

  /** A cache tag: IOTLB of the unit, or the device TLB of `device`. */
  tag(domain: number, device = -1, pasid = 0, kind: 'assign' | 'unassign' = 'assign'): this {
    const row = this.#begin('attach');
    const { columns } = this.trace.rows.attach;
    columns.kind[row] = kind === 'assign' ? ATTACH.tagAssign : ATTACH.tagUnassign;
    columns.unit[row] = this.unit;
    columns.domain[row] = domain;
    columns.device[row] = device;
    columns.type[row] = device < 0 ? 0 : 1;
    columns.pasid[row] = pasid;
    return this;
  }

  attach(device: number, domain = -1): this {
    const row = this.#begin('attach');
    const { columns } = this.trace.rows.attach;
    columns.kind[row] = ATTACH.attach;
    columns.device[row] = device;
    columns.domain[row] = domain;
    return this;
  }

  map(domain: number, page: number, pages = 1, physical = page + 0x100000): this {
    const row = this.#begin('map');
    const { columns } = this.trace.rows.map;
    columns.domain[row] = domain;
    [columns.iovaLo[row], columns.iovaHi[row]] = address(page);
    [columns.physLo[row], columns.physHi[row]] = address(physical);
    [columns.sizeLo[row], columns.sizeHi[row]] = address(pages);
    columns.prot[row] = 3;
    return this;
  }

  unmap(domain: number, page: number, pages = 1): this {
    const row = this.#begin('unmap');
    const { columns } = this.trace.rows.unmap;
    columns.domain[row] = domain;
    [columns.iovaLo[row], columns.iovaHi[row]] = address(page);
    [columns.sizeLo[row], columns.sizeHi[row]] = address(pages);
    [columns.unmappedLo[row], columns.unmappedHi[row]] = address(pages);
    return this;
  }

  /** The driver's event for its first tag. */
  flush(domain: number, page = 0, pages = 1, op: keyof typeof FLUSH = 'range', device = -1): this {
    const row = this.#begin('flush');
    const { columns } = this.trace.rows.flush;
    columns.op[row] = FLUSH[op];
    columns.unit[row] = this.unit;
    columns.domain[row] = domain;
    columns.device[row] = device;
    columns.type[row] = device < 0 ? 0 : 1;
    columns.pasid[row] = 0;
    [columns.startLo[row], columns.startHi[row]] = address(page);
    [columns.endLo[row], columns.endHi[row]] = address(page + pages - 1);
    return this;
  }

  /** A native command as its 64-bit words. */
  inv(w0: bigint, w1: bigint, w2 = 0n, w3 = 0n): this {
    const row = this.#begin('inv');
    const { columns } = this.trace.rows.inv;
    columns.unit[row] = this.unit;
    columns.dialect[row] = this.dialect;
    columns.form[row] = this.form;
    columns.w0Lo[row] = lowWord(w0);
    columns.w0Hi[row] = highWord(w0);
    columns.w1Lo[row] = lowWord(w1);
    columns.w1Hi[row] = highWord(w1);
    columns.w2Lo[row] = lowWord(w2);
    columns.w2Hi[row] = highWord(w2);
    columns.w3Lo[row] = lowWord(w3);
    columns.w3Hi[row] = highWord(w3);
    return this;
  }

  /** The queue was set up. */
  queue(): this {
    const row = this.#begin('inv');
    const { columns } = this.trace.rows.inv;
    columns.unit[row] = this.unit;
    columns.form[row] = INV_FORM.reset;
    columns.w0Lo[row] = RESET.queueSetup;
    return this;
  }

  /** One access to a page. */
  dma(device: number, page: number, domain = -1): this {
    const row = this.#begin('dma');
    const { columns } = this.trace.rows.dma;
    columns.rid[row] = device;
    columns.domain[row] = domain;
    [columns.iovaLo[row], columns.iovaHi[row]] = address(page);
    return this;
  }

  mark(text: string): this {
    const row = this.#begin('mark');
    this.trace.rows.mark.columns.text[row] = this.trace.intern(text);
    return this;
  }

  #begin(stream: keyof typeof STREAM_ID): number {
    return this.trace.begin(STREAM_ID[stream], this.time, this.cpu, this.task);
  }
}

/** Low and high int32 word of a page's address, or of a number of pages in bytes. */
function address(page: number): [number, number] {
  const bytes = BigInt(page) << 12n;
  return [lowWord(bytes), highWord(bytes)];
}
