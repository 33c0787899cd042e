import {
  ATTACH,
  DERIVED_DEVICE,
  DIALECT,
  DIRTY_OP,
  DOMAIN_KIND,
  INV_FORM,
  ORIGIN,
  STREAM_ID,
} from '../../traces/schema.ts';
import type { EventSink } from '../../traces/trace.ts';
import { ABSENT, highWord, lowWord } from '../../traces/units.ts';
import type { DomainId } from '../../traces/units.ts';
import type { Harvest, IntentListener, InvalidatedEntries, MappedPiece, Nesting } from '../model/iommufd/intents.ts';
import type { VtdAttachment } from '../model/vtd-guest.ts';
import { DerivedDomains } from './derived-domains.ts';
import { writeInvalidation } from './invalidation-commands.ts';
import type { HostNumbers } from './invalidation-commands.ts';

/** What a call is made of that its events take over. */
export interface CallMoment {
  readonly time: number;
  readonly cpu: number;
  readonly task: number;
  readonly source: number;
}

/** Types of tag rows (`TAG_TYPE_NAMES`): a device's TLB, and what a nesting parent's unmaps must reach. */
const TAG = { deviceTlb: 1, nestingIotlb: 2, nestingDeviceTlb: 3 } as const;

interface HeldTag {
  readonly type: number;
  /** Undefined: the IOMMU's own cache. */
  readonly device: object | undefined;
  readonly unit: number;
  readonly domain: DomainId;
}

interface NestedUse {
  readonly device: object;
  readonly attachment: VtdAttachment;
}

/**
 * Writes what the model of IOMMUFD and VFIO does to page tables as events: `map` and `unmap` of origin `iommufd` or `vfio`,
 * `attach`, `dirty`, and `inv` for what hardware gets when user space asks for invalidations. Domains (a HWPT, a VFIO container)
 * are numbered by `DerivedDomains`, devices from `DERIVED_DEVICE` on. On SMMUv3 tag rows say which caches a guest must keep right
 * by itself (its devices' TLBs) and which the unmaps of its parent must reach. Set `now` before each call.
 */
export class IntentWriter implements IntentListener {
  now: CallMoment = { time: 0, cpu: ABSENT, task: ABSENT, source: 0 };
  readonly #sink: EventSink;
  readonly #dialect: number;
  readonly #domains: DerivedDomains;
  readonly #devices = new WeakMap<object, number>();
  /** By nested domain. */
  readonly #nested = new Map<object, NestedUse[]>();
  /** By device: tags that it is the reason of. */
  readonly #tags = new Map<object, readonly HeldTag[]>();
  readonly #numbers: HostNumbers;
  #deviceCount = 0;
  /** Rows of `inv` so far. */
  commands = 0;

  /** `dialect` of the commands that the driver under the calls gives. */
  constructor(sink: EventSink, dialect: number = DIALECT.vtd) {
    this.#sink = sink;
    this.#dialect = dialect;
    this.#domains = new DerivedDomains(dialect);
    this.#numbers = {
      vmidOf: (parent) => this.#domains.vmidOf(parent),
      sidOf: (device) => this.#device(device),
      unitOf: (iommu) => this.#unit(iommu),
      attachmentsOf: (domain) => (this.#nested.get(domain) ?? []).map(({ attachment }) => attachment),
    };
  }

  /** Numbers of the domains seen so far. */
  get domains(): readonly DomainId[] {
    return this.#domains.numbers;
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

  attached(device: object | undefined, pasid: number, domain: object, nesting?: Nesting): void {
    if (device !== undefined) this.#leave(device, pasid);
    const number = nesting === undefined ? this.#domain(domain) : this.#domains.nested(domain, nesting);
    const tags = nesting === undefined || device === undefined ? [] : this.#tagsOf(device, number, nesting);
    // what stands last is what the device's DMA goes through
    for (const tag of tags) if (tag.domain !== number) this.#tag(ATTACH.tagAssign, tag);
    const row = this.#attach(ATTACH.attach, device, pasid, number);
    this.#sink.rows.attach.columns.type[row] = nesting === undefined ? DOMAIN_KIND.paging : DOMAIN_KIND.nested;
    if (nesting === undefined || device === undefined) return;
    const unit = this.#unit(nesting.iommu);
    if (this.#dialect === DIALECT.smmuv3) {
      this.#tags.set(device, tags);
      for (const tag of tags) if (tag.domain === number) this.#tag(ATTACH.tagAssign, tag);
      return;
    }
    const { deviceTlb } = nesting;
    const attachment = { unit, device: this.#device(device) & 0xffff, pasid, domain: number & 0xffff, deviceTlb };
    const uses = this.#nested.get(domain);
    if (uses === undefined) this.#nested.set(domain, [{ device, attachment }]);
    else uses.push({ device, attachment });
  }

  detached(device: object | undefined, pasid: number, domain: object): void {
    if (device !== undefined) this.#leave(device, pasid);
    this.#attach(ATTACH.detach, device, pasid, this.#domain(domain));
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
    writeInvalidation(domain, invalidation, this.#numbers, (dialect, unit, w0Lo, w0Hi, w1Lo, w1Hi) => {
      const row = this.#begin('inv');
      const { columns } = this.#sink.rows.inv;
      this.commands++;
      columns.unit[row] = unit;
      columns.dialect[row] = dialect;
      columns.form[row] = INV_FORM.words;
      columns.w0Lo[row] = w0Lo;
      columns.w0Hi[row] = w0Hi;
      columns.w1Lo[row] = w1Lo;
      columns.w1Hi[row] = w1Hi;
    });
  }

  /** The device goes through another domain from now on, or through none. */
  #leave(device: object, pasid: number): void {
    for (const [domain, uses] of this.#nested) {
      const at = uses.findIndex((use) => use.device === device && use.attachment.pasid === pasid);
      if (at < 0) continue;
      uses.splice(at, 1);
      if (uses.length === 0) this.#nested.delete(domain);
    }
    if (pasid !== 0) return;
    for (const tag of this.#tags.get(device) ?? []) this.#tag(ATTACH.tagUnassign, tag);
    this.#tags.delete(device);
  }

  /** VT-d's driver has a domain id for each table of a guest, and flushes them itself: no tags. */
  #tagsOf(device: object, domain: DomainId, { parent, iommu, deviceTlb }: Nesting): readonly HeldTag[] {
    if (this.#dialect !== DIALECT.smmuv3) return [];
    const unit = this.#unit(iommu);
    const guest = this.#domain(parent);
    const own: HeldTag = { type: TAG.nestingIotlb, device: undefined, unit, domain: guest };
    if (!deviceTlb) return [own];
    return [
      own,
      { type: TAG.nestingDeviceTlb, device, unit, domain: guest },
      { type: TAG.deviceTlb, device, unit, domain },
    ];
  }

  #tag(kind: number, { type, device, unit, domain }: HeldTag): void {
    const row = this.#attach(kind, device, 0, domain);
    const { columns } = this.#sink.rows.attach;
    columns.unit[row] = unit;
    columns.type[row] = type;
    // a tag's PASID 0 stands for requests without one
    columns.pasid[row] = 0;
  }

  #unit(iommu: string | undefined): number {
    return iommu === undefined ? ABSENT : this.#sink.intern(iommu);
  }

  #attach(kind: number, device: object | undefined, pasid: number, domain: DomainId): number {
    const row = this.#begin('attach');
    const { columns } = this.#sink.rows.attach;
    columns.kind[row] = kind;
    columns.device[row] = this.#device(device);
    columns.pasid[row] = pasid === 0 ? ABSENT : pasid;
    columns.domain[row] = domain;
    return row;
  }

  #begin(stream: 'map' | 'unmap' | 'attach' | 'dirty' | 'inv'): number {
    const { time, cpu, task, source } = this.now;
    return this.#sink.begin(STREAM_ID[stream], time, cpu, task, source);
  }

  #domain(domain: object): DomainId {
    return this.#domains.of(domain);
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
