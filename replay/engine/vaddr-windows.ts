import { errnoName } from '../../traces/errno-names.ts';
import { ioctlName } from '../../traces/ioctl-requests.ts';
import { SEEN } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { StructView } from '../model/iommufd/struct-view.ts';
import { UNKNOWN_HARDWARE } from '../model/iommufd/vfio/hardware.ts';
import { VFIO } from '../model/iommufd/vfio/requests.ts';
import type { VaddrListener } from '../model/iommufd/vfio/vaddr-listener.ts';
import { fileOf } from './ioctl-files.ts';
import { bytesOf, callEvents } from './ioctl-events.ts';
import { IoctlVerification, traceFacts } from './verify-ioctl.ts';

/** A call of the recording: `event` is its number, `atNs` when it returned, ns since the trace's epoch. */
export interface CallAt {
  readonly event: number;
  readonly atNs: number;
  readonly name: string;
}

/** A call inside a window that fails because of it. */
export interface WindowedCall extends CallAt {
  /** As recorded: an errno, or a return value. */
  readonly result: string;
  readonly why: string;
}

/**
 * From the first mapping of a container that lost its address to the last that got a new one, or went. DMA goes on meanwhile;
 * what needs the address can't be done: pins of mediated devices fail (EBUSY; they waited before Linux 6.3), and so do groups that
 * come.
 */
export interface VaddrWindow {
  readonly opened: CallAt;
  /** Null: still open at the end of the recording. */
  readonly closed: CallAt | null;
  readonly how: 'new addresses' | 'unmapped' | 'container closed' | 'still open';
  /** To the end of the recording where it is still open. */
  readonly durationNs: number;
  readonly mappings: number;
  readonly bytes: number;
  readonly inside: readonly WindowedCall[];
}

/** How the memory behind mappings passed from one process to another. */
export interface AddressUpdates {
  readonly windows: readonly VaddrWindow[];
  /** Calls with VADDR on an iommufd that stands in for a container: it has no such thing (EINVAL). */
  readonly refused: number;
  /** IOMMU_IOAS_CHANGE_PROCESS: pages stay pinned and mapped, so that there is never a window. */
  readonly changes: { readonly calls: number; readonly done: number; readonly windows: 0 };
}

const CHANGE_PROCESS = 0x3b92;
const VADDR = 4;

/** Undefined: the recording has neither VFIO's VADDR flags nor CHANGE_PROCESS. */
export function findAddressUpdates(trace: Trace): AddressUpdates | undefined {
  if (trace.streamCounts.ioctl === 0 || !asksForUpdates(trace)) return undefined;
  const facts = traceFacts(trace);
  const found = facts.hardware?.hardware ?? UNKNOWN_HARDWARE;
  // Where nothing tells the IOMMU's page sizes, those of the CPU do: mappings are followed, not judged.
  const hardware = { ...found, pageSizes: found.pageSizes ?? 0x1000n };
  const finder = new WindowFinder();
  const run = new IoctlVerification(
    { ...facts, hardware: { hardware, events: facts.hardware?.events ?? new Map() } },
    { vaddrs: finder },
  );
  let end = 0;
  for (const { index, stream, row, segment } of callEvents(trace)) {
    end = segment.time[index - segment.firstEvent] ?? 0;
    if (stream === 'lost') run.lost();
    else if (stream === 'call') {
      finder.at({ event: index, atNs: end, name: trace.strings[segment.rows.call.columns.name[row] ?? -1] ?? 'exit' });
      run.call(index, segment.rows.call.columns, row, trace.strings, segment.task[index - segment.firstEvent] ?? -1);
    } else {
      const { columns } = segment.rows.ioctl;
      const path = trace.strings[columns.path[row] ?? -1];
      const call = { event: index, atNs: end, name: ioctlName(columns.request[row] ?? 0, path) };
      finder.at(call);
      finder.ioctl(call, columns, row);
      run.ioctl(index, columns, row, trace.strings);
      if (!withVaddr(columns, row)) continue;
      const { machine } = run;
      const process = machine.processes.get(columns.pid[row] ?? 0);
      const file = process === undefined ? undefined : fileOf(machine, process, columns.fd[row] ?? -1, path);
      if (file?.kind === 'iommufd') finder.refused++;
    }
  }
  return finder.result(end);
}

function flagsOf(columns: Columns<'ioctl'>, row: number): number {
  if (((columns.seen[row] ?? 0) & SEEN.before) === 0) return 0;
  const before = bytesOf(columns.before, row);
  return before.length < 8 ? 0 : new StructView(before).u32(4);
}

function withVaddr(columns: Columns<'ioctl'>, row: number): boolean {
  const request = columns.request[row] ?? 0;
  if (request !== VFIO.iommuMapDma && request !== VFIO.iommuUnmapDma) return false;
  return (flagsOf(columns, row) & VADDR) !== 0;
}

function asksForUpdates(trace: Trace): boolean {
  for (const { stream, row, segment } of callEvents(trace)) {
    if (stream !== 'ioctl') continue;
    const { columns } = segment.rows.ioctl;
    if (columns.request[row] === CHANGE_PROCESS || withVaddr(columns, row)) return true;
  }
  return false;
}

interface OpenWindow {
  readonly opened: CallAt;
  mappings: number;
  bytes: number;
  /** Mappings without an address. */
  left: number;
  readonly inside: WindowedCall[];
}

class WindowFinder implements VaddrListener {
  /** Calls with VADDR on an iommufd. */
  refused = 0;
  readonly #open = new Map<object, OpenWindow>();
  readonly #windows: VaddrWindow[] = [];
  #now: CallAt = { event: -1, atNs: 0, name: '' };
  #changes = { calls: 0, done: 0 };

  at(call: CallAt): void {
    this.#now = call;
  }

  invalidated(container: object, _iova: bigint, size: bigint): void {
    let window = this.#open.get(container);
    if (window === undefined) {
      window = { opened: this.#now, mappings: 0, bytes: 0, left: 0, inside: [] };
      this.#open.set(container, window);
    }
    window.mappings++;
    window.left++;
    window.bytes += Number(size);
  }

  restored(container: object): void {
    this.#less(container, 'new addresses');
  }

  unmapped(container: object): void {
    this.#less(container, this.#now.name === 'VFIO_IOMMU_UNMAP_DMA' ? 'unmapped' : 'container closed');
  }

  /** Before the model does the call. */
  ioctl(call: CallAt, columns: Columns<'ioctl'>, row: number): void {
    const request = columns.request[row] ?? 0;
    const errno = columns.errno[row] ?? 0;
    if (request === CHANGE_PROCESS) {
      this.#changes.calls++;
      if (errno === 0) this.#changes.done++;
      return;
    }
    if (this.#open.size === 0) return;
    const result = errno > 0 ? errnoName(errno) : errno < 0 ? '?' : '0';
    let why: string | undefined;
    if (request === VFIO.groupSetContainer) why = 'a group can’t come while addresses are missing: EBUSY';
    else if (request === VFIO.iommuUnmapDma && withVaddr(columns, row) && errno > 0)
      why = 'the range holds a mapping whose address is gone already: EINVAL';
    if (why === undefined) return;
    for (const { inside } of this.#open.values()) inside.push({ ...call, result, why });
  }

  result(end: number): AddressUpdates {
    for (const [container] of this.#open) this.#close(container, null, 'still open', end);
    const windows = this.#windows.toSorted((a, b) => a.opened.event - b.opened.event);
    return { windows, refused: this.refused, changes: { ...this.#changes, windows: 0 } };
  }

  #less(container: object, how: VaddrWindow['how']): void {
    const window = this.#open.get(container);
    if (window === undefined) return;
    window.left--;
    if (window.left === 0) this.#close(container, this.#now, how, this.#now.atNs);
  }

  #close(container: object, closed: CallAt | null, how: VaddrWindow['how'], atNs: number): void {
    const window = this.#open.get(container);
    if (window === undefined) return;
    this.#open.delete(container);
    const { opened, mappings, bytes, inside } = window;
    this.#windows.push({ opened, closed, how, durationNs: atNs - opened.atNs, mappings, bytes, inside });
  }
}
