import { StructView } from '../../../replay/model/iommufd/struct-view.ts';
import { renameCommand } from '../../../replay/tenants/command-names.ts';
import { CALL_EVENT, DIALECT, SEEN } from '../../../traces/schema.ts';
import type { BytesColumn } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import type { EventSink } from '../../../traces/trace.ts';
import { decodeMappings, decodeUserMemory, encodeMappings, encodeUserMemory } from '../../../traces/user-memory.ts';
import {
  ARGUMENTS,
  KNOWN_MEMORY,
  PAGEMAP,
  RETURNS_ADDRESS,
  address,
  commandWords,
  isAddressArgument,
  pageOfEntry,
  visitData,
  visitIoctl,
} from './call-memory.ts';
import type { CallVisitor } from './call-memory.ts';
import { chosenIova, fixIova } from './call-structs.ts';
import { pidColumns } from './survey-calls.ts';
import type { CallSurvey } from './survey-calls.ts';

/** What a rewriting of calls needs to know. */
export interface CallMoves {
  readonly calls: CallSurvey;
  /** By how much IOVAs of calls move. */
  readonly bytes: number;
  readonly physicalBytes: number;
  readonly pids: ReadonlyMap<number, number>;
  readonly strings: readonly string[];
}

/** Rewrites an ioctl or call that the sink has just been given: `row` in `segment`, `to` in the sink. */
export interface CallRewrite {
  ioctl(segment: Segment, row: number, to: number): void;
  call(segment: Segment, row: number, to: number): void;
}

/** Bytes of memory for a byte of a pagemap: 4096 for 8. */
const PAGE_OF_ENTRY_BYTE = 512n;
/** Addresses of IOVA spaces end here. */
const IOVA_END = 1n << 57n;
const KEEP = { domain: (name: number) => name, guest: (name: number) => name, rid: (name: number) => name };

/** A row's bytes in the sink, which have the length that they had in the segment. */
function copyOf(column: BytesColumn, to: number, from: BytesColumn, row: number): Uint8Array {
  const length = Math.max(0, (from.offsets[row + 1] ?? 0) - (from.offsets[row] ?? 0));
  const start = length === 0 ? 0 : (column.offsets[to] ?? 0);
  return column.data.subarray(start, start + length);
}

export function createCallRewrite(
  { calls, bytes, physicalBytes, pids, strings }: CallMoves,
  sink: EventSink,
): CallRewrite {
  const { user } = calls;
  const by = BigInt(bytes);
  const pagesBy = BigInt(physicalBytes / 4096);
  const words = new Int32Array(8);
  const movedIova = (iova: bigint): bigint => (iova + by < IOVA_END ? iova + by : iova);
  const visitor: CallVisitor = {
    at(struct, { offset, kind }) {
      const view = new StructView(struct);
      const value = view.u64(offset);
      if (kind === 'page') view.setU64(offset, pageOfEntry(value) === undefined ? value : value + pagesBy);
      else view.setU64(offset, kind === 'user' ? user.moved(value) : movedIova(value));
    },
    words(data) {
      const view = new StructView(data);
      for (let at = 0; at + 8 <= data.length; at += 8) view.setU64(at, user.movedNumber(view.u64(at)));
    },
    commands(list) {
      for (let at = 0; at + 16 <= list.length; at += 16) {
        commandWords(list, at, words);
        renameCommand(DIALECT.smmuv3, words, KEEP, bytes / 4096);
        const view = new StructView(list);
        for (let i = 0; i < 4; i++) view.setU32(at + i * 4, words[i]! >>> 0);
      }
    },
    // as long as it was, so that what is told of it still fits
    unknown: (data) => void data.fill(0),
  };
  const movePair = (lo: Int32Array, hi: Int32Array, row: number): void => {
    const moved = user.moved(address(lo[row]!, hi[row]!));
    lo[row] = Number(moved & 0xffff_ffffn) | 0;
    hi[row] = Number(moved >> 32n) | 0;
  };
  const movePointers = (memory: Uint8Array): void => {
    if (memory.length === 0) return;
    const items = decodeUserMemory(memory).map((item) => {
      const moved = user.moved(address(item.addressLo, item.addressHi));
      return { ...item, addressLo: Number(moved & 0xffff_ffffn) | 0, addressHi: Number(moved >> 32n) | 0 };
    });
    const encoded = encodeUserMemory(items);
    memory.set(encoded);
    memory.fill(0, encoded.length);
  };
  /** The kernel would choose another IOVA in a space that was moved: what it chose is asked for. */
  const fix = (request: number, before: Uint8Array, after: Uint8Array): void => {
    const offset = chosenIova(request, before);
    if (bytes === 0 || offset === undefined || after.length < offset + 8) return;
    const iova = new StructView(after).u64(offset);
    for (const struct of [before, after]) fixIova(struct, offset, iova);
  };
  const otherPid = (pid: number): number => pids.get(pid) ?? pid;

  return {
    ioctl(segment, row, to) {
      const from = segment.rows.ioctl.columns;
      const { columns } = sink.rows.ioctl;
      columns.pid[to] = otherPid(columns.pid[to]!);
      if ((columns.seen[to]! & SEEN.argument) !== 0) movePair(columns.argLo, columns.argHi, to);
      const before = copyOf(columns.before, to, from.before, row);
      const after = copyOf(columns.after, to, from.after, row);
      const memory = copyOf(columns.memory, to, from.memory, row);
      if (from.errno[row] === 0) fix(from.request[row]!, before, after);
      const path = strings[from.path[row]!] ?? '';
      visitIoctl({ segment, row, path, structs: [before, after], memory }, visitor);
      movePointers(memory);
    },
    call(segment, row, to) {
      const from = segment.rows.call.columns;
      const { columns } = sink.rows.call;
      const name = strings[from.name[row]!] ?? '';
      columns.pid[to] = otherPid(columns.pid[to]!);
      for (const column of pidColumns(segment, row, name)) columns[column][to] = otherPid(columns[column][to]!);
      for (const [i, column] of ARGUMENTS.entries()) {
        if (isAddressArgument(name, i)) movePair(columns[`${column}Lo`], columns[`${column}Hi`], to);
      }
      const path = strings[from.path[row]!] ?? '';
      if (name === 'pread64' && PAGEMAP.test(path)) {
        const place =
          user.moved(address(columns.a3Lo[to]!, columns.a3Hi[to]!) * PAGE_OF_ENTRY_BYTE) / PAGE_OF_ENTRY_BYTE;
        columns.a3Lo[to] = Number(place & 0xffff_ffffn) | 0;
        columns.a3Hi[to] = Number(place >> 32n) | 0;
      }
      if (RETURNS_ADDRESS.has(name)) movePair(columns.retLo, columns.retHi, to);
      const data = copyOf(columns.data, to, from.data, row);
      if (from.event[row] === CALL_EVENT.maps) data.set(encodeMappings(decodeMappings(data).map(moveMapping)));
      else visitData(segment, row, strings, data, calls.config, visitor);
      const memory = copyOf(columns.memory, to, from.memory, row);
      for (const { field, before, after } of decodeUserMemory(memory)) {
        if (KNOWN_MEMORY.has(`${name} ${field}`)) continue;
        for (const part of [before, after]) part?.fill(0);
      }
      movePointers(memory);
    },
  };

  function moveMapping<M extends ReturnType<typeof decodeMappings>[number]>(mapping: M): M {
    const start = user.moved(address(mapping.startLo, mapping.startHi));
    const end = user.moved(address(mapping.endLo, mapping.endHi) - 1n) + 1n;
    const word = (value: bigint): number => Number(value & 0xffff_ffffn) | 0;
    return { ...mapping, startLo: word(start), startHi: word(start >> 32n), endLo: word(end), endHi: word(end >> 32n) };
  }
}
