import { ioctlName } from '../../traces/ioctl-requests.ts';
import { SEEN } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { joinWords } from '../../traces/units.ts';
import type { MemoryRegion } from '../model/iommufd/address-space.ts';
import { Context } from '../model/iommufd/context.ts';
import { Device, NO_PASID } from '../model/iommufd/device.ts';
import { errnoName } from '../../traces/errno-names.ts';
import { Ioas } from '../model/iommufd/ioas.ts';
import { Machine } from '../model/iommufd/machine.ts';
import type { OpenFile, Process } from '../model/iommufd/process.ts';
import { StructView } from '../model/iommufd/struct-view.ts';
import { Unjudged } from '../model/iommufd/unjudged.ts';
import { vfioCompat } from '../model/iommufd/vfio/compat.ts';
import { VfioContainer } from '../model/iommufd/vfio/container.ts';
import { VfioDevice } from '../model/iommufd/vfio/device.ts';
import { recordedBackend, recordedTraits } from '../model/iommufd/vfio/hardware.ts';
import { VFIO } from '../model/iommufd/vfio/requests.ts';
import { CallReplay } from './call-replay.ts';
import { Births, bytesOf, callEvents, memoryOf, signed, unsigned } from './ioctl-events.ts';
import { fileOf } from './ioctl-files.ts';
import { findHardware } from './recorded-hardware.ts';

/** Calls of one request for which the two containers answer differently in the same way. */
export interface ContainerDifference {
  readonly name: string;
  /** Return value or errno of a TYPE1 container, and of an iommufd in its place; `unmap` adds the bytes that went. */
  readonly native: string;
  readonly compat: string;
  readonly calls: number;
  readonly firstEvent: number;
}

export interface ContainerComparison {
  /** Calls that both were asked. */
  readonly calls: number;
  /** Most frequent first. */
  readonly differences: readonly ContainerDifference[];
}

const CONTAINER_CALLS = new Set<number>([
  VFIO.checkExtension,
  VFIO.setIommu,
  VFIO.iommuMapDma,
  VFIO.iommuUnmapDma,
  VFIO.iommuDirtyPages,
]);

/**
 * Runs the container calls of a recording with VFIO groups on two models, each from the state that its own answers left: TYPE1
 * (drivers/vfio/vfio_iommu_type1.c) and iommufd's stand-in for it (drivers/iommu/iommufd/vfio_compat.c). Undefined: the
 * recording has no VFIO devices.
 */
export function compareContainers(trace: Trace): ContainerComparison | undefined {
  const finding = trace.streamCounts.ioctl === 0 ? undefined : findHardware(trace);
  if (finding === undefined) return undefined;
  const newMachine = (): Machine => {
    const made = new Machine(recordedBackend(finding.hardware));
    made.hardware = finding.hardware;
    return made;
  };
  const run = new ContainerRun(trace, newMachine);
  for (const { index, stream, row, segment } of callEvents(trace)) {
    if (stream === 'ioctl') run.ioctl(index, segment.rows.ioctl.columns, row, trace.strings);
    else if (stream === 'call') {
      run.call(index, segment.rows.call.columns, row, trace.strings, segment.task[index - segment.firstEvent] ?? -1);
    } else run.lost();
  }
  return run.result();
}

/** The same container twice, with one device attached. */
class ContainerPair {
  readonly #native = new VfioContainer();
  readonly #compat: Context;
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#native.addGroup();
    this.#compat = new Context(machine);
    this.#compat.compatIoas = this.#compat.objects.add(new Ioas(this.#compat));
    const device = this.#compat.objects.add(
      new Device(this.#compat, machine.deviceTraits ?? recordedTraits(machine.hardware)),
    );
    device.change(NO_PASID, this.#compat.compatIoas.id, 'attach');
  }

  native(process: Process, request: number, argument: bigint): number {
    return this.#native.ioctl({ machine: this.#machine, process, request, argument });
  }

  compat(process: Process, request: number, argument: bigint): number {
    const struct = new StructView(new Uint8Array(0));
    return vfioCompat({ context: this.#compat, process, request, argument, struct, respond: () => 0 });
  }
}

class ContainerRun {
  readonly #calls: CallReplay;
  /** By file, as long as it is open. */
  readonly #pairs = new WeakMap<OpenFile, ContainerPair>();
  readonly #differences = new Map<string, ContainerDifference>();
  #asked = 0;

  constructor(trace: Trace, newMachine: () => Machine) {
    this.#calls = new CallReplay({ births: new Births(trace), told: trace.streamCounts.call > 0, newMachine });
  }

  ioctl(event: number, columns: Columns<'ioctl'>, row: number, strings: readonly string[]): void {
    const request = (columns.request[row] ?? 0) >>> 0;
    const { machine } = this.#calls;
    const process = this.#calls.process(columns.pid[row] ?? 0, event);
    const file = fileOf(machine, process, columns.fd[row] ?? -1, strings[columns.path[row] ?? -1]);
    if (request === VFIO.groupGetDeviceFd && columns.errno[row] === 0 && process.fdsKnown) {
      process.installAt(signed(columns.retLo, columns.retHi, row), new VfioDevice());
    }
    if (file === undefined || !CONTAINER_CALLS.has(request)) return;
    if (file.kind !== 'vfioContainer' && file.kind !== 'iommufd') return;
    let pair = this.#pairs.get(file);
    if (pair === undefined) {
      pair = new ContainerPair(machine);
      this.#pairs.set(file, pair);
    }
    const argument = joinWords(columns.argLo[row] ?? 0, columns.argHi[row] ?? 0);
    const regions = (): MemoryRegion[] => regionsOf(columns, row);
    const native = answer(process, regions(), request, argument, (...call) => pair.native(...call));
    const compat = answer(process, regions(), request, argument, (...call) => pair.compat(...call));
    if (native === undefined || compat === undefined) return;
    this.#asked++;
    if (native !== compat) this.#note(event, ioctlName(request, '/dev/vfio/vfio'), native, compat);
  }

  call(event: number, columns: Columns<'call'>, row: number, strings: readonly string[], task: number): void {
    this.#calls.call(event, columns, row, strings, task);
  }

  lost(): void {
    this.#calls.lost();
  }

  result(): ContainerComparison {
    const differences = [...this.#differences.values()].sort(
      (a, b) => b.calls - a.calls || a.firstEvent - b.firstEvent,
    );
    return { calls: this.#asked, differences };
  }

  #note(event: number, name: string, native: string, compat: string): void {
    const key = `${name} ${native} ${compat}`;
    const known = this.#differences.get(key);
    const calls = (known?.calls ?? 0) + 1;
    this.#differences.set(key, { name, native, compat, calls, firstEvent: known?.firstEvent ?? event });
  }
}

function regionsOf(columns: Columns<'ioctl'>, row: number): MemoryRegion[] {
  const regions: MemoryRegion[] = [];
  if (((columns.seen[row] ?? 0) & SEEN.before) !== 0) {
    const address = unsigned(columns.argLo, columns.argHi, row);
    regions.push({ address, bytes: bytesOf(columns.before, row), after: undefined, unknown: false });
  }
  for (const { addressLo, addressHi, before } of memoryOf(columns.memory, row)) {
    const address = (addressHi >>> 0) * 2 ** 32 + (addressLo >>> 0);
    regions.push({ address, bytes: before, after: undefined, unknown: false });
  }
  return regions;
}

/** What one side answers; undefined where nothing of the recording decides it. */
function answer(
  process: Process,
  regions: readonly MemoryRegion[],
  request: number,
  argument: bigint,
  ask: (process: Process, request: number, argument: bigint) => number,
): string | undefined {
  process.memory.begin(regions);
  try {
    const ret = ask(process, request, argument);
    const text = ret < 0 ? errnoName(-ret) : String(ret);
    const struct = regions[0];
    const bytes = struct?.after ?? struct?.bytes;
    if (request !== VFIO.iommuUnmapDma || ret < 0 || bytes === null || bytes === undefined) return text;
    return `${text}, ${new StructView(bytes).u64(16)} bytes`;
  } catch (error) {
    if (!(error instanceof Unjudged)) throw error;
    return undefined;
  } finally {
    process.memory.end();
  }
}
