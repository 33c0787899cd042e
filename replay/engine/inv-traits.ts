import { VTD_TYPE, vtdGranularity, vtdType } from '../../traces/dialects/vtd-fields.ts';
import { ATTACH, DIALECT, FLUSH, INV_FORM } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';
import type { DomainId, RequesterId } from '../../traces/units.ts';
import { CacheTags } from '../designs/cache-tags.ts';
import { DEFAULT_CONTEXT } from '../designs/design.ts';
import type { CacheTag, DesignContext } from '../designs/design.ts';

/** What a trace tells about the system that made it, beside the commands that are to be predicted. */
export interface InvTraits {
  readonly context: DesignContext;
  /** The design that the recorded flushes look like; undefined where there are none. */
  readonly design: string | undefined;
  /** Domains with page-selective flushes in a system that queues: owned by user space. */
  readonly unmanaged: ReadonlySet<DomainId>;
  /** Flush events (the driver's decisions) are there, so that the place of each flush among the unmaps is known. */
  readonly flushEvents: boolean;
  /** Flush events of ranges are there: where callers wanted what they unmapped to be gone. */
  readonly rangeFlushes: boolean;
  /** Wait commands are there: the trace saw the queue itself. */
  readonly waits: boolean;
  readonly commands: number;
  /** Tags of domains that were attached before the trace began, in the order in which their flushes name them. */
  readonly tagsBefore: readonly CacheTag[];
}

/** One pass over the command, flush and attach streams. */
export function readInvTraits(trace: Trace): InvTraits {
  const firstStage = new Set<DomainId>();
  const paged = new Set<DomainId>();
  const deviceBits = new Map<RequesterId, { lo: number; hi: number }>();
  let drainBits = -1;
  let maxMask = DEFAULT_CONTEXT.maxAddressMask;
  let waits = false;
  let ranges = 0;
  let alls = 0;
  let notPresent = 0;
  let pageCommands = 0;
  let domainCommands = 0;
  let commands = 0;
  let afterContext = false;
  const columns = {
    inv: ['dialect', 'form', 'w0', 'w1'],
    flush: ['op', 'unit', 'device', 'type', 'domain', 'pasid'],
    attach: ['kind', 'domain'],
  } as const;
  const before = new TagsBefore();
  for (const segment of trace.segments({ columns, reuse: true })) {
    const { inv, flush } = segment.rows;
    before.segment(segment);
    for (let i = 0; i < flush.count; i++) {
      const op = flush.columns.op[i];
      if (op === FLUSH.all) alls++;
      else if (op === FLUSH.rangeNotPresent) notPresent++;
      else ranges++;
    }
    for (let i = 0; i < inv.count; i++) {
      if (inv.columns.dialect[i] !== DIALECT.vtd || inv.columns.form[i] !== INV_FORM.words) continue;
      const lo = inv.columns.w0Lo[i] ?? 0;
      const hi = inv.columns.w0Hi[i] ?? 0;
      const w1 = inv.columns.w1Lo[i] ?? 0;
      const granularity = vtdGranularity(lo);
      const type = vtdType(lo);
      commands++;
      switch (type) {
        case VTD_TYPE.iotlb:
          if (drainBits < 0) drainBits = lo & 0xc0;
          if (granularity === 3) {
            pageCommands++;
            paged.add(lo >>> 16);
            maxMask = Math.max(maxMask, w1 & 0x3f);
          } else if (!afterContext) domainCommands++;
          break;
        case VTD_TYPE.pasidIotlb:
          firstStage.add(lo >>> 16);
          if (granularity === 3) {
            pageCommands++;
            paged.add(lo >>> 16);
          } else if (!afterContext) domainCommands++;
          break;
        case VTD_TYPE.deviceTlb:
          if (!deviceBits.has(hi & 0xffff)) deviceBits.set(hi & 0xffff, { lo: lo & ~15, hi: hi & ~0xffff });
          break;
        case VTD_TYPE.wait:
          waits = true;
          break;
        default:
      }
      if (type === VTD_TYPE.context || type === VTD_TYPE.pasidCache) afterContext = true;
      else if (type === VTD_TYPE.iotlb || type === VTD_TYPE.pasidIotlb) afterContext = false;
    }
  }
  const flushEvents = ranges + alls + notPresent > 0;
  const lazy = flushEvents ? alls > 0 : domainCommands > pageCommands;
  const known = ranges + alls + pageCommands + domainCommands > 0;
  return {
    context: {
      maxAddressMask: maxMask,
      drainBits: drainBits < 0 ? DEFAULT_CONTEXT.drainBits : drainBits,
      cachingMode: notPresent > 0,
      firstStage,
      deviceBits,
    },
    design: known ? (lazy ? 'linux-lazy' : 'linux-strict') : undefined,
    unmanaged: lazy ? paged : new Set(),
    flushEvents,
    rangeFlushes: ranges > 0,
    waits,
    commands,
    tagsBefore: before.tags(),
  };
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
