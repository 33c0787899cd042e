import { VTD_TYPE, vtdGranularity, vtdType } from '../../traces/dialects/vtd-fields.ts';
import { ATTACH, DIALECT, FLUSH, INV_FORM } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';
import type { DomainId, RequesterId } from '../../traces/units.ts';
import { CacheTags } from '../designs/cache-tags.ts';
import { DEFAULT_CONTEXT } from '../designs/design.ts';
import type { CacheTag } from '../designs/design.ts';
import type { InvTraits } from './inv-traits.ts';
import { kernelOf } from './queue-traits.ts';

/** What the commands and flush events of a VT-d unit tell about the system. */
export class VtdTraits {
  readonly #firstStage = new Set<DomainId>();
  readonly #paged = new Set<DomainId>();
  readonly #deviceBits = new Map<RequesterId, { lo: number; hi: number }>();
  readonly #before = new TagsBefore();
  commands = 0;
  #interrupts = 0;
  #drainBits = -1;
  #maxMask = DEFAULT_CONTEXT.maxAddressMask;
  #waits = false;
  #ranges = 0;
  #alls = 0;
  #notPresent = 0;
  #pageCommands = 0;
  #domainCommands = 0;
  #afterContext = false;

  segment(segment: Segment): void {
    const { inv, flush } = segment.rows;
    this.#before.segment(segment);
    for (let i = 0; i < flush.count; i++) {
      const op = flush.columns.op[i];
      if (op === FLUSH.all) this.#alls++;
      else if (op === FLUSH.rangeNotPresent) this.#notPresent++;
      else this.#ranges++;
    }
    for (let i = 0; i < inv.count; i++) {
      if (inv.columns.dialect[i] !== DIALECT.vtd || inv.columns.form[i] !== INV_FORM.words) continue;
      this.#command(inv.columns.w0Lo[i] ?? 0, inv.columns.w0Hi[i] ?? 0, inv.columns.w1Lo[i] ?? 0);
    }
  }

  #command(lo: number, hi: number, w1: number): void {
    const granularity = vtdGranularity(lo);
    const type = vtdType(lo);
    this.commands++;
    switch (type) {
      case VTD_TYPE.iotlb:
        if (this.#drainBits < 0) this.#drainBits = lo & 0xc0;
        if (granularity === 3) {
          this.#pageCommands++;
          this.#paged.add(lo >>> 16);
          this.#maxMask = Math.max(this.#maxMask, w1 & 0x3f);
        } else if (!this.#afterContext) this.#domainCommands++;
        break;
      case VTD_TYPE.pasidIotlb:
        this.#firstStage.add(lo >>> 16);
        if (granularity === 3) {
          this.#pageCommands++;
          this.#paged.add(lo >>> 16);
        } else if (!this.#afterContext) this.#domainCommands++;
        break;
      case VTD_TYPE.deviceTlb:
        if (!this.#deviceBits.has(hi & 0xffff)) {
          this.#deviceBits.set(hi & 0xffff, { lo: lo & ~15, hi: hi & ~0xffff });
        }
        break;
      case VTD_TYPE.interrupt:
        this.#interrupts++;
        break;
      case VTD_TYPE.wait:
        this.#waits = true;
        break;
      default:
    }
    if (type === VTD_TYPE.context || type === VTD_TYPE.pasidCache) this.#afterContext = true;
    else if (type === VTD_TYPE.iotlb || type === VTD_TYPE.pasidIotlb) this.#afterContext = false;
  }

  traits({ header }: Trace): InvTraits {
    const flushEvents = this.#ranges + this.#alls + this.#notPresent > 0;
    const lazy = flushEvents ? this.#alls > 0 : this.#domainCommands > this.#pageCommands;
    const known = this.#ranges + this.#alls + this.#pageCommands + this.#domainCommands > 0;
    return {
      context: {
        ...DEFAULT_CONTEXT,
        kernel: kernelOf(header.host.kernel),
        maxAddressMask: this.#maxMask,
        drainBits: this.#drainBits < 0 ? DEFAULT_CONTEXT.drainBits : this.#drainBits,
        cachingMode: this.#notPresent > 0,
        firstStage: this.#firstStage,
        deviceBits: this.#deviceBits,
      },
      design: known ? (lazy ? 'linux-lazy' : 'linux-strict') : undefined,
      unmanaged: lazy ? this.#paged : new Set(),
      flushEvents,
      rangeFlushes: this.#ranges > 0,
      waits: this.#waits,
      commands: this.commands,
      interrupts: this.#interrupts,
      tagsBefore: this.#before.tags(),
    };
  }
}

/** Tags that flushes name of domains that no event of the trace assigns a tag to. */
class TagsBefore {
  readonly #assigned = new Set<DomainId>();
  readonly #flushed = new CacheTags();
  readonly #order: CacheTag[] = [];

  segment({ rows }: Segment): void {
    const { attach, flush } = rows;
    for (let i = 0; i < attach.count; i++) {
      if (attach.columns.kind[i] === ATTACH.tagAssign) this.#assigned.add(attach.columns.domain[i] ?? ABSENT);
    }
    const { unit, device, type, domain, pasid } = flush.columns;
    for (let i = 0; i < flush.count; i++) {
      const id = domain[i] ?? ABSENT;
      if (id === ABSENT || this.#assigned.has(id)) continue;
      const tag: CacheTag = {
        domain: id,
        unit: unit[i] ?? ABSENT,
        type: type[i] ?? 0,
        device: device[i] ?? ABSENT,
        pasid: Math.max(0, pasid[i] ?? 0),
      };
      if (this.#flushed.has(tag)) continue;
      this.#flushed.assign(tag);
      this.#order.push(tag);
    }
  }

  tags(): readonly CacheTag[] {
    return this.#order.filter((tag) => !this.#assigned.has(tag.domain));
  }
}
