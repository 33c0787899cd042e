import { CALL_EVENT, SEEN } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { joinWords } from '../../traces/units.ts';
import { decodeMappings } from '../../traces/user-memory.ts';
import type { UserMemory } from '../../traces/user-memory.ts';
import { AddressSpace } from '../model/iommufd/address-space.ts';
import type { MemoryRegion } from '../model/iommufd/address-space.ts';
import { Backing } from '../model/iommufd/backing.ts';
import { vfioCompat } from '../model/iommufd/vfio/compat.ts';
import { recordedBackend } from '../model/iommufd/vfio/hardware.ts';
import { vfioCallName } from '../model/iommufd/vfio/requests.ts';
import { isVfioFile } from '../model/iommufd/vfio/vfio-file.ts';
import { errnoName } from '../model/iommufd/errno.ts';
import { iommufdIoctls } from '../model/iommufd/families.ts';
import { runIoctl } from '../model/iommufd/ioctl.ts';
import { Machine } from '../model/iommufd/machine.ts';
import { mockBackend } from '../model/iommufd/mock/mock-backend.ts';
import type { IommufdFile, Process } from '../model/iommufd/process.ts';
import { QUIRKS } from '../model/iommufd/quirks.ts';
import type { QuirkName } from '../model/iommufd/quirks.ts';
import { ioctlName, structField } from '../model/iommufd/struct-fields.ts';
import { applySystemCall, exec, exit, fork, processOf } from '../model/iommufd/system-calls.ts';
import type { SystemCall } from '../model/iommufd/system-calls.ts';
import { Unjudged } from '../model/iommufd/unjudged.ts';
import { Births, bytesOf, callEvents, memoryOf, signed, unsigned } from './ioctl-events.ts';
import { fileOf } from './ioctl-files.ts';
import { findHardware } from './recorded-hardware.ts';
import type { HardwareFinding } from './recorded-hardware.ts';
import { DivergenceList, countsOf } from './verification.ts';
import type { Tally, VerifyPart } from './verification.ts';

/** Recorded results of one ioctl. */
interface Recorded {
  readonly event: number;
  /** Where the kind of file decides it. */
  readonly name: string | undefined;
  readonly request: number;
  /** Return value of the system call: negative for an errno. */
  readonly ret: number;
  readonly after: Uint8Array | undefined;
  readonly memory: readonly UserMemory[];
}

/** Where a region of a call's memory came from. */
interface CallRegion extends MemoryRegion {
  readonly field: string;
}

/** Every ioctl of a trace against the model; undefined where the trace has none. */
export function verifyIoctl(trace: Trace): VerifyPart | undefined {
  if (trace.streamCounts.ioctl === 0) return undefined;
  const run = new IoctlVerification(new Births(trace), findHardware(trace));
  for (const { index, stream, row, segment } of callEvents(trace)) {
    if (stream === 'ioctl') run.ioctl(index, segment.rows.ioctl.columns, row, trace.strings);
    else if (stream === 'call') run.call(index, segment.rows.call.columns, row, trace.strings);
    else run.lost();
  }
  return run.result();
}

class IoctlVerification {
  #machine: Machine;
  readonly #hardware: HardwareFinding | undefined;
  readonly #births: Births;
  readonly #tallies = new Map<string, Tally>();
  readonly #skipped: Record<string, number> = {};
  readonly #divergences = new DivergenceList();
  readonly #quirks = new Map<QuirkName, number>();
  readonly #total: Tally = { agreed: 0, diverged: 0 };

  constructor(births: Births, hardware: HardwareFinding | undefined) {
    this.#births = births;
    this.#hardware = hardware;
    this.#machine = newMachine(hardware);
  }

  ioctl(event: number, columns: Columns<'ioctl'>, row: number, strings: readonly string[]): void {
    const request = (columns.request[row] ?? 0) >>> 0;
    const process = this.#process(columns.pid[row] ?? 0, event);
    const fd = columns.fd[row] ?? -1;
    const path = strings[columns.path[row] ?? -1];
    const file = fileOf(this.#machine, process, fd, path);
    if (file?.kind !== 'iommufd' && !isVfioFile(file)) {
      this.#skip(`on ${path ?? 'an unknown file'}`);
      return;
    }
    const errno = columns.errno[row] ?? 0;
    const value = signed(columns.retLo, columns.retHi, row);
    const ret = errno > 0 ? -errno : value;
    const seen = columns.seen[row] ?? 0;
    const before = (seen & SEEN.before) === 0 ? undefined : bytesOf(columns.before, row);
    const after = (seen & SEEN.after) === 0 ? undefined : bytesOf(columns.after, row);
    const memory = memoryOf(columns.memory, row);
    const address = unsigned(columns.argLo, columns.argHi, row);
    const regions: CallRegion[] = [];
    if (before !== undefined) regions.push({ field: '', address, bytes: before, after: undefined, unknown: false });
    for (const item of memory) regions.push(regionOf(item));
    const argument = joinWords(columns.argLo[row] ?? 0, columns.argHi[row] ?? 0);
    process.memory.begin(regions);
    const name = isVfioFile(file) ? vfioCallName(file.kind === 'vfioDevice', request) : undefined;
    const recorded: Recorded = { event, name, request, ret, after, memory };
    try {
      const context = isVfioFile(file) ? undefined : (file as IommufdFile).context;
      const model = isVfioFile(file)
        ? file.ioctl({ machine: this.#machine, process, request, argument })
        : runIoctl(iommufdIoctls, vfioCompat, (file as IommufdFile).context, process, request, argument);
      if (this.#hardware?.events.has(event) === true) this.#skip("hardware's answer, taken as input");
      else this.#compare(recorded, regions, model, process, context?.partial === true);
    } catch (error) {
      if (!(error instanceof Unjudged)) throw error;
      this.#skip(error.reason);
    }
    process.memory.end();
    for (const { field, addressLo, addressHi, before: was, after: is } of memory) {
      const bytes = is ?? was;
      if (bytes !== null && field !== '') process.memory.remember(unsignedWords(addressLo, addressHi), bytes);
    }
  }

  call(event: number, columns: Columns<'call'>, row: number, strings: readonly string[]): void {
    const pid = columns.pid[row] ?? 0;
    const ret = signed(columns.retLo, columns.retHi, row);
    const errno = columns.errno[row] ?? 0;
    if (columns.event[row] !== CALL_EVENT.start) this.#process(pid, event);
    switch (columns.event[row]) {
      case CALL_EVENT.start:
        this.#takeQuirks();
        this.#machine = newMachine(this.#hardware);
        break;
      case CALL_EVENT.fork:
        if (!this.#machine.processes.has(ret)) fork(this.#machine, pid, ret);
        break;
      case CALL_EVENT.exec:
        exec(this.#machine, pid);
        break;
      case CALL_EVENT.exit:
        exit(this.#machine, pid);
        break;
      case CALL_EVENT.maps:
        processOf(this.#machine, pid).memory = mappedMemory(bytesOf(columns.data, row));
        break;
      case CALL_EVENT.syscall: {
        if (errno !== 0) break;
        const memory = memoryOf(columns.memory, row);
        const data = bytesOf(columns.data, row);
        const item = memory[0]?.before;
        const call: SystemCall = {
          name: strings[columns.name[row] ?? -1] ?? '',
          pid,
          fd: columns.fd[row] ?? -1,
          args: argumentsOf(columns, row),
          ret,
          path: strings[columns.path[row] ?? -1],
          data: data.length > 0 ? data : (item ?? undefined),
        };
        applySystemCall(this.#machine, call);
        break;
      }
      default:
    }
  }

  /** What was lost may have written any memory. */
  lost(): void {
    for (const process of this.#machine.processes.values()) process.memory.forget();
  }

  result(): VerifyPart {
    this.#takeQuirks();
    const parts = Object.fromEntries([...this.#tallies].map(([name, tally]) => [`ioctl.${name}`, countsOf(tally)]));
    const notes = [...this.#quirks].map(
      ([name, count]) => `${count} calls needed the quirk ${name}: ${QUIRKS[name].what}`,
    );
    return {
      kind: 'ioctl',
      counts: countsOf(this.#total),
      parts,
      skipped: this.#skipped,
      divergences: this.#divergences.list(),
      notes,
    };
  }

  /** The process of an event; made from its parent where its first calls came before the note of its birth. */
  #process(pid: number, event: number): Process {
    if (!this.#machine.processes.has(pid)) {
      const parent = this.#births.parent(pid, event);
      if (parent !== undefined && parent !== pid) {
        this.#process(parent, event);
        fork(this.#machine, parent, pid);
      }
    }
    return processOf(this.#machine, pid);
  }

  #takeQuirks(): void {
    for (const [name, count] of this.#machine.quirksNeeded)
      this.#quirks.set(name, (this.#quirks.get(name) ?? 0) + count);
  }

  #skip(reason: string): void {
    this.#skipped[reason] = (this.#skipped[reason] ?? 0) + 1;
  }

  #compare(
    recorded: Recorded,
    regions: readonly CallRegion[],
    model: number,
    process: Process,
    partial: boolean,
  ): void {
    const found = differences(recorded, regions, model, process);
    if (typeof found === 'string') {
      this.#skip(found);
      return;
    }
    if (found.length > 0 && partial) {
      this.#skip('objects from before the recording');
      return;
    }
    const name = recorded.name ?? ioctlName(recorded.request, regions[0]?.bytes ?? undefined);
    let tally = this.#tallies.get(name);
    if (tally === undefined) this.#tallies.set(name, (tally = { agreed: 0, diverged: 0 }));
    const outcome = found.length > 0 ? 'diverged' : 'agreed';
    tally[outcome]++;
    this.#total[outcome]++;
    for (const { field, recorded: was, model: is } of found.slice(0, 4))
      this.#divergences.add({
        event: recorded.event,
        kind: 'ioctl',
        what: `${name} ${field}`,
        recorded: was,
        model: is,
      });
  }
}

interface Difference {
  readonly field: string;
  readonly recorded: string;
  readonly model: string;
}

/** What differs, or why the call can't be judged whole. */
function differences(
  recorded: Recorded,
  regions: readonly CallRegion[],
  model: number,
  process: Process,
): Difference[] | string {
  const found: Difference[] = [];
  if (recorded.ret !== model) found.push({ field: 'ret', recorded: retText(recorded.ret), model: retText(model) });
  let unseen: string | undefined;
  for (const region of regions) {
    const { bytes } = region;
    if (bytes === null) continue;
    const after = region.field === '' ? recorded.after : afterOf(recorded.memory, region);
    const expected = region.after ?? bytes;
    if (region.unknown) {
      unseen = 'data read from memory whose contents were not recorded';
      continue;
    }
    if (after === undefined || after === null) {
      if (region.after !== undefined) unseen = 'result not recorded';
      continue;
    }
    const at = firstDifference(after, expected);
    if (at < 0) continue;
    if (region.recalled) {
      unseen = 'data read is not what was last seen there: the program may have written meanwhile';
      continue;
    }
    const field =
      region.field === ''
        ? structField(recorded.request, bytes, at)
        : { name: region.field, offset: at & ~7, length: 8 };
    found.push({
      field: region.field === '' ? field.name : `${field.name}+${field.offset}`,
      recorded: hex(after, field.offset, field.length),
      model: hex(expected, field.offset, field.length),
    });
  }
  if (found.length > 0) return found;
  if (process.memory.unrecordedWrites > 0) return 'memory that the call wrote was not recorded';
  return unseen ?? found;
}

function afterOf(memory: readonly UserMemory[], region: CallRegion): Uint8Array | null | undefined {
  return memory.find(
    (item) => item.field === region.field && unsignedWords(item.addressLo, item.addressHi) === region.address,
  )?.after;
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

function hex(bytes: Uint8Array, offset: number, length: number): string {
  const part = bytes.slice(offset, offset + length).reverse();
  return `0x${[...part]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .replace(/^0+(?=.)/, '')}`;
}

function retText(ret: number): string {
  return ret < 0 ? errnoName(-ret) : String(ret);
}

function regionOf(item: UserMemory): CallRegion {
  const address = unsignedWords(item.addressLo, item.addressHi);
  return { field: item.field, address, bytes: item.before, after: undefined, unknown: false };
}

function unsignedWords(lo: number, hi: number): number {
  return (hi >>> 0) * 2 ** 32 + (lo >>> 0);
}

function argumentsOf(columns: Columns<'call'>, row: number): number[] {
  return [
    unsigned(columns.a0Lo, columns.a0Hi, row),
    unsigned(columns.a1Lo, columns.a1Hi, row),
    unsigned(columns.a2Lo, columns.a2Hi, row),
    unsigned(columns.a3Lo, columns.a3Hi, row),
    unsigned(columns.a4Lo, columns.a4Hi, row),
    unsigned(columns.a5Lo, columns.a5Hi, row),
  ];
}

function mappedMemory(data: Uint8Array): AddressSpace {
  const memory = new AddressSpace({ complete: true });
  for (const mapping of decodeMappings(data)) {
    memory.map({
      start: unsignedWords(mapping.startLo, mapping.startHi),
      end: unsignedWords(mapping.endLo, mapping.endHi),
      prot: mapping.prot & 7,
      shared: (mapping.flags & 1) !== 0,
      backing: new Backing(),
      page: 0,
    });
  }
  return memory;
}

function newMachine(finding: HardwareFinding | undefined): Machine {
  const backend = finding === undefined ? mockBackend : recordedBackend(finding.hardware);
  const machine = new Machine(backend, Object.keys(QUIRKS) as QuirkName[]);
  if (finding !== undefined) machine.hardware = finding.hardware;
  return machine;
}
