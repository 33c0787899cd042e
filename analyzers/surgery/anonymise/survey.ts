import { EVERY_PAGE, SCOPE, commandScope, readScope } from '../../../replay/model/command-scope.ts';
import { renameCommand } from '../../../replay/tenants/command-names.ts';
import { DIRTY_SPACE, FLUSH, INV_FORM, RESET, STREAMS, STREAM_NAMES } from '../../../traces/schema.ts';
import type { BytesColumn, ColumnKind, StreamName } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import { decodeSgList } from '../../../traces/sg-list.ts';
import type { Trace } from '../../../traces/trace.ts';
import { ABSENT, pageNumber } from '../../../traces/units.ts';
import { AddressSpaces } from './address-spaces.ts';
import { COLUMN_RULES } from './column-rules.ts';
import { configBytes } from './config-bytes.ts';
import { commandMemory } from './command-addresses.ts';
import { CallSurvey } from './survey-calls.ts';

/** What one reading finds out: all that is to be changed, and what nobody knows how to. */
export interface Survey {
  readonly spaces: AddressSpaces;
  /** Process and thread ids. */
  readonly pids: ReadonlySet<number>;
  /** By number of a text: the columns that have it, as `STREAM.COLUMN`. */
  readonly texts: ReadonlyMap<number, ReadonlySet<string>>;
  readonly calls: CallSurvey;
  /** What is not known, with how often. */
  readonly unknown: ReadonlyMap<string, number>;
}

/** Words of a command, w0Lo, w0Hi, ... w3Hi, into `words`. */
export function readWords({ rows }: Segment, row: number, words: Int32Array): void {
  const { w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi, w3Lo, w3Hi } = rows.inv.columns;
  words[0] = w0Lo[row]!;
  words[1] = w0Hi[row]!;
  words[2] = w1Lo[row]!;
  words[3] = w1Hi[row]!;
  words[4] = w2Lo[row]!;
  words[5] = w2Hi[row]!;
  words[6] = w3Lo[row]!;
  words[7] = w3Hi[row]!;
}

/** Who a command names. */
export interface NamedByCommand {
  domain: number;
  device: number;
  guest: number;
}

/** Reads the names of a command, -1 each for none. */
export function createCommandNames(): (dialect: number, words: Int32Array) => NamedByCommand {
  const named: NamedByCommand = { domain: ABSENT, device: ABSENT, guest: ABSENT };
  const scratch = new Int32Array(8);
  const take = {
    domain: (domain: number) => (named.domain = domain),
    guest: (guest: number) => (named.guest = guest),
    rid: (rid: number) => (named.device = rid),
  };
  return (dialect, words) => {
    named.domain = ABSENT;
    named.device = ABSENT;
    named.guest = ABSENT;
    scratch.set(words);
    renameCommand(dialect, scratch, take, 0);
    return named;
  };
}

const DEVICE: { readonly [S in StreamName]?: string } = {
  map: 'device',
  unmap: 'device',
  attach: 'device',
  dma: 'rid',
  fault: 'rid',
  prq: 'rid',
  flush: 'device',
};

type AnyColumns = { readonly [column: string]: Int32Array | BytesColumn | undefined };

/** Reads the whole trace, one segment a step. */
export function* survey(trace: Trace): Generator<void, Survey> {
  const spaces = new AddressSpaces();
  const pids = new Set<number>();
  const texts = new Map<number, Set<string>>();
  const unknown = new Map<string, number>();
  const calls = new CallSurvey(spaces, pids, configBytes(trace));
  const nameCommand = createCommandNames();
  const scope = commandScope();
  const words = new Int32Array(8);
  const refuse = (what: string, count: number): void => {
    if (count > 0) unknown.set(what, (unknown.get(what) ?? 0) + count);
  };
  const refs = STREAM_NAMES.flatMap((name) =>
    Object.entries(STREAMS[name] as Record<string, ColumnKind>)
      .filter(([, kind]) => kind === 'ref')
      .map(([column]) => ({ name, column })),
  );
  for (const segment of trace.segments({ reuse: true })) {
    const { rows, task, count } = segment;
    for (let i = 0; i < count; i++) if (task[i]! > 0) pids.add(task[i]!);
    for (const { name, column } of refs) {
      if (COLUMN_RULES[name] === 'unknown') continue;
      const values = (rows[name].columns as unknown as AnyColumns)[column] as Int32Array;
      for (let i = 0; i < rows[name].count; i++) {
        const ref = values[i]!;
        if (ref < 0) continue;
        let columns = texts.get(ref);
        if (columns === undefined) texts.set(ref, (columns = new Set()));
        columns.add(`${name}.${column}`);
      }
    }
    for (const name of STREAM_NAMES) {
      const rules = COLUMN_RULES[name];
      if (rules === 'unknown') {
        refuse(`stream ${name}`, rows[name].count);
        continue;
      }
      const columns = rows[name].columns as unknown as AnyColumns;
      for (const [column, rule] of Object.entries(rules)) {
        if (rule !== 'empty') continue;
        const { offsets } = columns[column] as BytesColumn;
        let filled = 0;
        for (let i = 0; i < rows[name].count; i++) if (offsets[i + 1]! > offsets[i]!) filled++;
        refuse(`bytes in ${name}.${column}`, filled);
      }
      const named = DEVICE[name];
      if (named === undefined) continue;
      const device = columns[named] as Int32Array;
      const domain = columns['domain'] as Int32Array | undefined;
      for (let i = 0; i < rows[name].count; i++) {
        spaces.together(domain?.[i] ?? ABSENT, device[i]!);
      }
    }
    calls.segment(segment, trace.strings);
    addresses(segment);
    commands(segment);
    yield;
  }
  calls.finish();
  return { spaces, pids, texts, calls, unknown };

  function addresses({ rows }: Segment): void {
    const { map, unmap, dma, fault, prq, flush, dirty } = rows;
    const range = (
      columns: { readonly iovaLo: Int32Array; readonly iovaHi: Int32Array },
      i: number,
      domain: number,
      device: number,
      bytesLo = 0,
      bytesHi = 0,
    ): void => {
      const page = pageNumber(columns.iovaLo[i]!, columns.iovaHi[i]!);
      spaces.address(domain, device, page, page + Math.max(0, pageNumber(bytesLo, bytesHi) - 1));
    };
    for (let i = 0; i < map.count; i++) {
      const c = map.columns;
      range(c, i, c.domain[i]!, c.device[i]!, c.sizeLo[i], c.sizeHi[i]);
      const page = pageNumber(c.physLo[i]!, c.physHi[i]!);
      spaces.physical(page, page + Math.max(0, pageNumber(c.sizeLo[i]!, c.sizeHi[i]!) - 1));
      list(c.list, i, c.domain[i]!, c.device[i]!);
    }
    for (let i = 0; i < unmap.count; i++) {
      const c = unmap.columns;
      range(c, i, c.domain[i]!, c.device[i]!, c.sizeLo[i], c.sizeHi[i]);
      list(c.list, i, c.domain[i]!, c.device[i]!);
    }
    for (let i = 0; i < dma.count; i++) {
      const c = dma.columns;
      range(c, i, c.domain[i]!, c.rid[i]!);
      spaces.physical(pageNumber(c.outLo[i]!, c.outHi[i]!));
    }
    for (let i = 0; i < fault.count; i++) range(fault.columns, i, ABSENT, fault.columns.rid[i]!);
    for (let i = 0; i < prq.count; i++) range(prq.columns, i, ABSENT, prq.columns.rid[i]!);
    for (let i = 0; i < flush.count; i++) {
      const c = flush.columns;
      if (c.op[i] === FLUSH.all || isEverything(c, i)) continue;
      const [domain, device] = [c.domain[i]!, c.device[i]!];
      spaces.address(domain, device, pageNumber(c.startLo[i]!, c.startHi[i]!), pageNumber(c.endLo[i]!, c.endHi[i]!));
      if (isPages(c.mask[i]!)) spaces.align(domain, device, 2 ** c.mask[i]!);
    }
    for (let i = 0; i < dirty.count; i++) {
      const c = dirty.columns;
      if (c.space[i] !== DIRTY_SPACE.iova) spaces.memory(pageNumber(c.iovaLo[i]!, c.iovaHi[i]!));
      else if (c.hwpt[i] !== ABSENT) refuse('addresses of an HWPT in stream dirty', 1);
    }
  }

  function list(column: BytesColumn, row: number, domain: number, device: number): void {
    const start = column.offsets[row] ?? 0;
    const end = column.offsets[row + 1] ?? 0;
    if (end <= start) return;
    const { dma, phys } = decodeSgList(column.data.subarray(start, end));
    if (dma.length + phys.length === 0) refuse('lists of segments that are none', 1);
    for (const { address } of dma) spaces.address(domain, device, Number(address >> 12n));
    for (const address of phys) spaces.physical(Number(address >> 12n));
  }

  function commands(segment: Segment): void {
    const { columns, count } = segment.rows.inv;
    for (let row = 0; row < count; row++) {
      const form = columns.form[row]!;
      if (form === INV_FORM.reset && columns.w0Lo[row] === RESET.queueSetup) {
        spaces.physical(pageNumber(columns.w1Lo[row]!, columns.w1Hi[row]!));
      }
      if (form !== INV_FORM.words && form !== INV_FORM.decoded) continue;
      const dialect = columns.dialect[row]!;
      readWords(segment, row, words);
      const memory = commandMemory(dialect, words);
      if (memory >= 0) spaces.physical(memory);
      const { domain, device, guest } = nameCommand(dialect, words);
      if (guest !== ABSENT) spaces.guest(guest);
      if (domain !== ABSENT) spaces.guestDomain(domain);
      readScope(scope, dialect, words[0]!, words[1]!, words[2]!, words[3]!, words[4]!, words[5]!);
      if (scope.kind === SCOPE.none || scope.kind === SCOPE.wait || !(scope.last < EVERY_PAGE)) continue;
      if (domain === ABSENT && device === ABSENT && guest !== ABSENT) continue;
      spaces.address(domain, device, scope.first, scope.last);
      spaces.align(domain, device, scope.last - scope.first + 1);
    }
  }
}

/** A flush of a range that is all there is. */
export function isEverything(
  columns: { readonly endLo: Int32Array; readonly endHi: Int32Array },
  row: number,
): boolean {
  return columns.endLo[row] === -1 && columns.endHi[row] === -1;
}

/** Is this the order of a number of pages that a command can name? */
export function isPages(mask: number): boolean {
  return mask >= 0 && mask < 40;
}
