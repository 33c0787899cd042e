import { CALL_EVENT } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import { StructView } from '../../../replay/model/iommufd/struct-view.ts';
import type { AddressSpaces } from './address-spaces.ts';
import {
  ARGUMENTS,
  MOCK,
  PID_ARGUMENTS,
  RETURNS_PID,
  bytesOf,
  pageOfEntry,
  userAddresses,
  visitData,
  visitIoctl,
} from './call-memory.ts';
import type { CallVisitor } from './call-memory.ts';
import type { ConfigBytes } from './config-bytes.ts';
import { UserAddresses } from './user-addresses.ts';

const MOST_PAGES = 2 ** 45;
/** Of 1 GiB. */
const BLOCK_PAGES = 2 ** 18;

/** What system calls have that is to be changed. */
export class CallSurvey {
  readonly user = new UserAddresses();
  readonly config: ConfigBytes;
  /** The mock driver's apertures end at 2 GiB: no IOVA of these calls can be moved. */
  mock = false;
  /** Bytes of which nobody knows what they are, by what they are of. */
  readonly unknown = new Map<string, number>();
  readonly #spaces: AddressSpaces;
  readonly #pids: Set<number>;
  /** Pages of one call. */
  readonly #iovas: number[] = [];
  readonly #blocks = new Set<number>();
  readonly #visitor: CallVisitor;

  constructor(spaces: AddressSpaces, pids: Set<number>, config: ConfigBytes) {
    this.config = config;
    this.#spaces = spaces;
    this.#pids = pids;
    this.#visitor = {
      at: (bytes, { offset, kind }) => {
        const value = new StructView(bytes).u64(offset);
        if (kind === 'user') this.user.note(value);
        else if (kind === 'page') this.#page(value);
        else this.#iovas.push(Number(value >> 12n));
      },
      // addresses among them are those of other calls
      words: () => {},
      // their addresses are of spaces whose maps are calls
      commands: () => {},
      unknown: (_bytes, what) => void this.unknown.set(what, (this.unknown.get(what) ?? 0) + 1),
    };
  }

  segment(segment: Segment, strings: readonly string[]): void {
    const { ioctl, call } = segment.rows;
    for (let row = 0; row < ioctl.count; row++) {
      const { columns } = ioctl;
      if (columns.pid[row]! > 0) this.#pids.add(columns.pid[row]!);
      if (columns.request[row] === MOCK) this.mock = true;
      const structs = [bytesOf(columns.before, row), bytesOf(columns.after, row)];
      const path = strings[columns.path[row]!] ?? '';
      this.#iovas.length = 0;
      visitIoctl({ segment, row, path, structs, memory: bytesOf(columns.memory, row) }, this.#visitor);
      // what failed may have had anything in it
      if (columns.errno[row] === 0) this.#noteIovas();
      for (const address of userAddresses(segment, 'ioctl', row, '')) this.user.note(address);
    }
    for (let row = 0; row < call.count; row++) {
      const { columns } = call;
      const name = strings[columns.name[row]!] ?? '';
      this.#iovas.length = 0;
      visitData(segment, row, strings, bytesOf(columns.data, row), this.config, this.#visitor);
      this.#noteIovas();
      for (const address of userAddresses(segment, 'call', row, name)) this.user.note(address);
      const pids = [columns.pid[row]!, ...pidColumns(segment, row, name).map((column) => columns[column][row]!)];
      for (const pid of pids) if (pid > 0) this.#pids.add(pid);
    }
  }

  /** Called once, after the last segment. */
  finish(): void {
    if (!this.mock) for (const block of this.#blocks) this.#spaces.call(block * BLOCK_PAGES);
  }

  #page(entry: bigint): void {
    const page = pageOfEntry(entry);
    if (page !== undefined && page < BigInt(MOST_PAGES)) this.#spaces.physical(Number(page));
  }

  #noteIovas(): void {
    for (const page of this.#iovas) if (page < MOST_PAGES) this.#blocks.add(Math.floor(page / BLOCK_PAGES));
  }
}

type CallColumn = 'retLo' | `a${0 | 1 | 2 | 3 | 4 | 5}Lo`;

/** Columns of a `call` that hold a process or thread. */
export function pidColumns({ rows }: Segment, row: number, name: string): readonly CallColumn[] {
  const { event } = rows.call.columns;
  if (event[row] === CALL_EVENT.fork) return ['retLo'];
  if (event[row] !== CALL_EVENT.syscall) return [];
  const given = (PID_ARGUMENTS[name] ?? []).map((i): CallColumn => `${ARGUMENTS[i] ?? 'a0'}Lo`);
  return RETURNS_PID.has(name) ? ['retLo', ...given] : given;
}
