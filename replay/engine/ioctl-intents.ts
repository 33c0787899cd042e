import { ATTACH, DERIVED_DEVICE, DIRTY_OP, DOMAIN_KIND, ORIGIN, STREAM_ID } from '../../traces/schema.ts';
import type { EventSink } from '../../traces/trace.ts';
import { ABSENT, highWord, lowWord } from '../../traces/units.ts';
import type { Harvest, IntentListener, InvalidatedEntries, MappedPiece } from '../model/iommufd/intents.ts';
import { invalidationCommands } from './invalidation-commands.ts';

/** What a call is made of that its events take over. */
export interface CallMoment {
  readonly time: number;
  readonly cpu: number;
  readonly task: number;
  readonly source: number;
}

/**
 * Writes what the model of IOMMUFD and VFIO does to page tables as events: `map` and `unmap` of origin `iommufd` or `vfio`,
 * `attach`, `dirty`, and `inv` for invalidations that user space asks for. Every domain (a HWPT, a VFIO container) has a number
 * of its own in the whole trace, from 1 on, and every device one beyond `DERIVED_DEVICE`. Set `now` before each call.
 */
export class IntentWriter implements IntentListener {
  now: CallMoment = { time: 0, cpu: ABSENT, task: ABSENT, source: 0 };
  readonly #sink: EventSink;
  readonly #domains = new WeakMap<object, number>();
  readonly #devices = new WeakMap<object, number>();
  /** Domains seen so far: they are numbered 1 to this. */
  domains = 0;
  #deviceCount = 0;

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  mapped(domain: object, piece: MappedPiece, by: 'iommufd' | 'vfio'): void {
    const row = this.#begin('map');
    const { columns } = this.#sink.rows.map;
    const size = piece.last - piece.start + 1n;
    columns.origin[row] = ORIGIN[by];
    columns.domain[row] = this.#domain(domain);
    columns.iovaLo[row] = lowWord(piece.start);
    columns.iovaHi[row] = highWord(piece.start);
    columns.physLo[row] = lowWord(piece.physical);
    columns.physHi[row] = highWord(piece.physical);
    columns.sizeLo[row] = lowWord(size);
    columns.sizeHi[row] = highWord(size);
    columns.prot[row] = piece.prot;
  }

  unmapped(domain: object, start: bigint, last: bigint, by: 'iommufd' | 'vfio'): void {
    const row = this.#begin('unmap');
    const { columns } = this.#sink.rows.unmap;
    const size = last - start + 1n;
    columns.origin[row] = ORIGIN[by];
    columns.domain[row] = this.#domain(domain);
    columns.iovaLo[row] = lowWord(start);
    columns.iovaHi[row] = highWord(start);
    columns.sizeLo[row] = columns.unmappedLo[row] = lowWord(size);
    columns.sizeHi[row] = columns.unmappedHi[row] = highWord(size);
  }

  attached(device: object | undefined, pasid: number, domain: object, kind: 'paging' | 'nested'): void {
    const row = this.#attach(ATTACH.attach, device, pasid, domain);
    this.#sink.rows.attach.columns.type[row] = DOMAIN_KIND[kind];
  }

  detached(device: object | undefined, pasid: number, domain: object): void {
    this.#attach(ATTACH.detach, device, pasid, domain);
  }

  tracking(domain: object, on: boolean): void {
    const row = this.#begin('dirty');
    const { columns } = this.#sink.rows.dirty;
    columns.op[row] = on ? DIRTY_OP.start : DIRTY_OP.stop;
    columns.hwpt[row] = this.#domain(domain);
  }

  harvested(domain: object, { iova, length, pageSize, flags, bitmap }: Harvest): void {
    const row = this.#begin('dirty');
    const { columns } = this.#sink.rows.dirty;
    columns.op[row] = DIRTY_OP.harvest;
    columns.hwpt[row] = this.#domain(domain);
    columns.iovaLo[row] = lowWord(iova);
    columns.iovaHi[row] = highWord(iova);
    columns.lengthLo[row] = lowWord(length);
    columns.lengthHi[row] = highWord(length);
    columns.pageSizeLo[row] = lowWord(pageSize);
    columns.pageSizeHi[row] = highWord(pageSize);
    columns.flags[row] = flags;
    if (bitmap !== undefined) this.#sink.setBytes(columns.bitmap, row, bitmap);
  }

  invalidated(domain: object, invalidation: InvalidatedEntries): void {
    for (const { dialect, form, words } of invalidationCommands(invalidation, this.#domain(domain))) {
      const row = this.#begin('inv');
      const { columns } = this.#sink.rows.inv;
      const [w0 = 0n, w1 = 0n] = words;
      columns.dialect[row] = dialect;
      columns.form[row] = form;
      columns.w0Lo[row] = lowWord(w0);
      columns.w0Hi[row] = highWord(w0);
      columns.w1Lo[row] = lowWord(w1);
      columns.w1Hi[row] = highWord(w1);
    }
  }

  #attach(kind: number, device: object | undefined, pasid: number, domain: object): number {
    const row = this.#begin('attach');
    const { columns } = this.#sink.rows.attach;
    columns.kind[row] = kind;
    columns.device[row] = this.#device(device);
    columns.pasid[row] = pasid === 0 ? ABSENT : pasid;
    columns.domain[row] = this.#domain(domain);
    return row;
  }

  #begin(stream: 'map' | 'unmap' | 'attach' | 'dirty' | 'inv'): number {
    const { time, cpu, task, source } = this.now;
    return this.#sink.begin(STREAM_ID[stream], time, cpu, task, source);
  }

  #domain(domain: object): number {
    const known = this.#domains.get(domain);
    if (known !== undefined) return known;
    this.domains++;
    this.#domains.set(domain, this.domains);
    return this.domains;
  }

  #device(device: object | undefined): number {
    if (device === undefined) return ABSENT;
    const known = this.#devices.get(device);
    if (known !== undefined) return known;
    const number = DERIVED_DEVICE + this.#deviceCount++;
    this.#devices.set(device, number);
    return number;
  }
}
