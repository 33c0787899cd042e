import { dialectById } from '../../traces/dialects/dialects.ts';
import { DIALECT, INV_FORM } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import type { DomainId } from '../../traces/units.ts';
import type { CacheTag, DesignContext } from '../designs/design.ts';
import { QueueTraits } from './queue-traits.ts';
import { VtdTraits } from './vtd-traits.ts';

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
  /** Commands for the remapping of interrupts. */
  readonly interrupts: number;
  /** Tags of domains that were attached before the trace began, in the order in which their flushes name them. */
  readonly tagsBefore: readonly CacheTag[];
}

const COLUMNS = {
  map: ['origin', 'domain'],
  unmap: ['origin', 'domain'],
  inv: ['dialect', 'form', 'w0', 'w1'],
  flush: ['op', 'unit', 'device', 'type', 'domain', 'pasid'],
  attach: ['kind', 'domain'],
} as const;

/** One pass over the command, flush and attach streams. Where they speak several dialects, the traits are of the commonest. */
export function readInvTraits(trace: Trace): InvTraits {
  const vtd = new VtdTraits();
  const queue = new QueueTraits();
  for (const segment of trace.segments({ columns: COLUMNS, reuse: true })) {
    vtd.segment(segment);
    const { inv, map, unmap } = segment.rows;
    queue.mapped(map.columns, map.count);
    queue.unmapped(unmap.columns, unmap.count);
    for (let i = 0; i < inv.count; i++) {
      const form = inv.columns.form[i];
      const dialect = inv.columns.dialect[i] ?? -1;
      if (dialect === DIALECT.vtd || dialectById(dialect) === undefined) continue;
      if (form !== INV_FORM.words && form !== INV_FORM.decoded) continue;
      queue.command(dialect, inv.columns, i);
    }
  }
  return vtd.commands >= queue.commands ? vtd.traits(trace) : queue.traits(trace);
}
