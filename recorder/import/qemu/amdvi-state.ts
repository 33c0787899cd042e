import { ATTACH, DIALECT, RESET, STREAM_ID } from '../../../traces/schema.ts';
import { ABSENT } from '../../../traces/units.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import type { QemuLine } from './device-model.ts';
import { writeReset } from './inv-rows.ts';

/** A lookup whose event is not written yet: what follows may belong to it. */
export class AmdviLookup {
  open = false;
  time: Nanoseconds = 0;
  task = -1;
  rid = -1;
  domain = -1;
  iovaLo = 0;
  iovaHi = 0;
  outLo = 0;
  outHi = 0;
  /** `OUTCOME` bits. */
  outcome = 0;
}

/** What the lines so far say about the emulated unit. */
export class AmdviState {
  readonly lookup = new AmdviLookup();
  /** The newest lookup was written, and its translation line is to come. */
  readonly written = { awaited: false, rid: -1, iovaLo: 0, iovaHi: 0 };
  enabled: boolean | undefined;
  /** A hit was logged, so a translation without a lookup's line is none. */
  logsHits = false;
  /** Requesters that filled the cache, and the domain that they did it for. */
  readonly domainOf = new Map<number, number>();
  /** Time of a reset of the cache that may belong to the command logged next; -1: none. */
  looseReset: Nanoseconds = -1;
  /** Address that a page fault named; its translation names the device. */
  fault: { readonly lo: number; readonly hi: number; readonly time: Nanoseconds } | undefined;
}

/** Writes the lookup that is open. */
export function flushLookup(state: AmdviState, line: QemuLine): void {
  const { lookup, written } = state;
  if (!lookup.open) return;
  lookup.open = false;
  const { rid, domain } = lookup;
  if (domain >= 0 && state.domainOf.get(rid) !== domain) {
    state.domainOf.set(rid, domain);
    const row = line.sink.begin(STREAM_ID.attach, lookup.time, ABSENT, lookup.task, line.source);
    const { columns } = line.sink.rows.attach;
    columns.kind[row] = ATTACH.attach;
    columns.device[row] = rid;
    columns.domain[row] = domain;
  }
  const row = line.sink.begin(STREAM_ID.dma, lookup.time, ABSENT, lookup.task, line.source);
  const { columns } = line.sink.rows.dma;
  columns.rid[row] = rid;
  columns.domain[row] = domain >= 0 ? domain : (state.domainOf.get(rid) ?? ABSENT);
  columns.iovaLo[row] = lookup.iovaLo;
  columns.iovaHi[row] = lookup.iovaHi;
  columns.outLo[row] = lookup.outLo;
  columns.outHi[row] = lookup.outHi;
  columns.outcome[row] = lookup.outcome;
  written.awaited = true;
  written.rid = rid;
  written.iovaLo = lookup.iovaLo;
  written.iovaHi = lookup.iovaHi;
}

/** A reset of the cache that no command and no insertion explains: the unit's. */
export function writeLooseReset(state: AmdviState, line: QemuLine): void {
  if (state.looseReset < 0) return;
  writeReset(line, state.looseReset, DIALECT.amd, RESET.unitReset);
  state.looseReset = -1;
}

/** A fault whose device no line named. */
export function flushFault(state: AmdviState, line: QemuLine, rid: number): void {
  const { fault } = state;
  if (fault === undefined) return;
  state.fault = undefined;
  const row = line.sink.begin(STREAM_ID.fault, fault.time, ABSENT, line.task, line.source);
  const { columns } = line.sink.rows.fault;
  columns.rid[row] = rid;
  columns.iovaLo[row] = fault.lo;
  columns.iovaHi[row] = fault.hi;
  columns.reason[row] = IO_PAGE_FAULT;
}

/** Event code of IO_PAGE_FAULT (AMD I/O Virtualization Technology specification, 2.5). */
const IO_PAGE_FAULT = 2;
