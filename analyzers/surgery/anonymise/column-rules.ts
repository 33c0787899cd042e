import type { STREAMS, StreamName } from '../../../traces/schema.ts';

/**
 * What is done to a column.
 * - `keep`: counts, sizes, flags, results, times, and what hardware numbers (domains, requesters, PASIDs, units' queues).
 * - `iova`: an address of the domain or requester that the event names; `phys`: an address of memory.
 * - `pid`: a process or thread. `text`: a name. `special`: by a rule of its own, in `rewrite-events.ts`.
 * - `empty`: nobody knows what the bytes mean: a row that has some is refused.
 */
export type ColumnRule = 'keep' | 'iova' | 'phys' | 'pid' | 'text' | 'special' | 'empty';

type Rules = { readonly [S in StreamName]: { readonly [C in keyof (typeof STREAMS)[S]]: ColumnRule } | 'unknown' };

/** Every column of every stream; a stream that is `unknown` is refused as a whole. A column that is added must get a rule. */
export const COLUMN_RULES: Rules = {
  ioctl: 'unknown',
  map: {
    origin: 'keep',
    domain: 'keep',
    device: 'keep',
    iova: 'iova',
    phys: 'phys',
    size: 'keep',
    prot: 'keep',
    attrs: 'text',
    list: 'special',
    call: 'keep',
  },
  unmap: {
    origin: 'keep',
    domain: 'keep',
    device: 'keep',
    iova: 'iova',
    size: 'keep',
    unmapped: 'keep',
    attrs: 'text',
    list: 'special',
    call: 'keep',
  },
  attach: {
    kind: 'keep',
    unit: 'text',
    device: 'keep',
    pasid: 'keep',
    domain: 'keep',
    type: 'keep',
    refs: 'keep',
    result: 'keep',
  },
  inv: {
    unit: 'text',
    queue: 'keep',
    dialect: 'keep',
    form: 'keep',
    w0: 'special',
    w1: 'special',
    w2: 'special',
    w3: 'special',
    more: 'empty',
    lag: 'keep',
  },
  dma: {
    rid: 'keep',
    pasid: 'keep',
    domain: 'keep',
    iova: 'iova',
    length: 'keep',
    access: 'keep',
    outcome: 'keep',
    out: 'special',
    pageShift: 'keep',
    perm: 'keep',
  },
  fault: { unit: 'text', rid: 'keep', pasid: 'keep', iova: 'iova', reason: 'keep', access: 'keep' },
  prq: {
    unit: 'text',
    rid: 'keep',
    pasid: 'keep',
    group: 'keep',
    iova: 'iova',
    access: 'keep',
    seq: 'keep',
    data: 'empty',
  },
  prs: { unit: 'text', rid: 'keep', pasid: 'keep', group: 'keep', code: 'keep', latency: 'keep' },
  dirty: {
    op: 'keep',
    hwpt: 'keep',
    iova: 'special',
    length: 'keep',
    pageSize: 'keep',
    flags: 'keep',
    duration: 'keep',
    bitmap: 'keep',
    space: 'keep',
    name: 'text',
    count: 'keep',
  },
  lost: { count: 'keep' },
  mark: { text: 'text' },
  flush: {
    op: 'keep',
    unit: 'text',
    device: 'keep',
    type: 'keep',
    domain: 'keep',
    pasid: 'keep',
    start: 'special',
    end: 'special',
    addr: 'special',
    mask: 'keep',
  },
  call: 'unknown',
  event: 'unknown',
};
