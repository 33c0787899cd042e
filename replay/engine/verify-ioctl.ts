import { VFIO_DEVICE_FILE, ioctlName } from '../../traces/ioctl-requests.ts';
import { SEEN } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { joinWords } from '../../traces/units.ts';
import type { UserMemory } from '../../traces/user-memory.ts';
import type { Context } from '../model/iommufd/context.ts';
import { vfioCompat } from '../model/iommufd/vfio/compat.ts';
import { recordedBackend } from '../model/iommufd/vfio/hardware.ts';
import { VFIO } from '../model/iommufd/vfio/requests.ts';
import { isVfioFile } from '../model/iommufd/vfio/vfio-file.ts';
import { errnoName } from '../../traces/errno-names.ts';
import { ERRNO } from '../model/iommufd/errno.ts';
import { iommufdIoctls } from '../model/iommufd/families.ts';
import { runIoctl } from '../model/iommufd/ioctl.ts';
import { Machine } from '../model/iommufd/machine.ts';
import { mockBackend } from '../model/iommufd/mock/mock-backend.ts';
import type { HarvestListener } from '../model/iommufd/harvest-listener.ts';
import type { IommufdFile, Process } from '../model/iommufd/process.ts';
import type { VaddrListener } from '../model/iommufd/vfio/vaddr-listener.ts';
import type { IntentListener } from '../model/iommufd/intents.ts';
import { QUIRKS, quirksOf } from '../model/iommufd/quirks.ts';
import type { QuirkName } from '../model/iommufd/quirks.ts';
import type { SystemCall } from '../model/iommufd/system-calls.ts';
import { Unjudged } from '../model/iommufd/unjudged.ts';
import { BareCalls, withoutStructs } from './bare-calls.ts';
import type { BareCall } from './bare-calls.ts';
import { beyondModel } from './beyond-model.ts';
import { CallReplay } from './call-replay.ts';
import { AS_RECORDED, chooseDriver } from './chosen-hardware.ts';
import type { ChosenDriver } from './chosen-hardware.ts';
import { containerKind } from './container-kind.ts';
import type { ContainerKind } from './container-kind.ts';
import { FailNth, failureNotes } from './fail-nth.ts';
import type { FailWindow } from './fail-nth.ts';
import { UNKNOWN_EFFECT } from './ioctl-doubts.ts';
import { Births, bytesOf, callEvents, memoryOf, signed, unsigned } from './ioctl-events.ts';
import { transferEvents } from './event-fds.ts';
import { differences, regionOf, unsignedWords } from './ioctl-comparison.ts';
import type { CallRegion, Recorded } from './ioctl-comparison.ts';
import { fileOf, takesStruct } from './ioctl-files.ts';
import { takeNumbersBelow, unseenFile } from './new-fds.ts';
import { findHardware } from './recorded-hardware.ts';
import type { HardwareFinding } from './recorded-hardware.ts';
import { DivergenceList, countsOf } from './verification.ts';
import type { Tally, VerifyPart } from './verification.ts';

/** Every ioctl of a trace against the model; undefined where the trace has none. */
export function verifyIoctl(trace: Trace, driver = AS_RECORDED): VerifyPart | undefined {
  if (trace.streamCounts.ioctl === 0) return undefined;
  const run = new IoctlVerification(traceFacts(trace, driver));
  play(trace, run);
  return run.result();
}

/** The model after all calls that returned at or before `time`, ns since the trace's epoch. */
export function machineAt(trace: Trace, time: number): Machine {
  const run = new IoctlVerification(traceFacts(trace));
  play(trace, run, time);
  return run.machine;
}

function play(trace: Trace, run: IoctlVerification, until = Number.POSITIVE_INFINITY): void {
  for (const { index, stream, row, segment } of callEvents(trace)) {
    if ((segment.time[index - segment.firstEvent] ?? 0) > until) break;
    if (stream === 'ioctl') run.ioctl(index, segment.rows.ioctl.columns, row, trace.strings);
    else if (stream === 'call') {
      run.call(index, segment.rows.call.columns, row, trace.strings, segment.task[index - segment.firstEvent] ?? -1);
    } else run.lost();
  }
}

/** What is known of a trace before its calls are run. */
export interface TraceFacts {
  readonly births: Births;
  readonly hardware: HardwareFinding | undefined;
  /** In the place of what the recording shows. */
  readonly driver: ChosenDriver | undefined;
  readonly kernel: string | undefined;
  /** RLIMIT_MEMLOCK of processes that nobody saw set it, bytes. */
  readonly memlock: number | undefined;
  /** What /dev/vfio/vfio is; undefined: no call tells. */
  readonly container: ContainerKind | undefined;
  readonly failures: FailNth;
  /** Events of calls that were found to have failed by injection. */
  readonly injected: Set<number>;
  /** Whether the source tells of other calls than ioctls. */
  readonly told: boolean;
  /** Whether the source shows no struct of a process at all; whether it may leave out that a file came or went. */
  readonly bare: (pid: number) => boolean;
  readonly filesUnseen: boolean;
}

/** Runs that tell which calls failed by injection: each finds at least one more of every context that still has some. */
const MAX_RUNS = 64;

/**
 * Reads a trace for what decides how its calls are judged. The model does a call to see that it would not fail by itself, and
 * can't take back what it changed by that: where failures were injected, runs go before that find out which calls to leave out.
 */
export function traceFacts(trace: Trace, driver = AS_RECORDED): TraceFacts {
  const hardware = findHardware(trace);
  const facts: TraceFacts = {
    births: new Births(trace),
    hardware,
    driver: chooseDriver(driver, hardware, trace.header),
    kernel: trace.header.host.kernel,
    memlock: trace.header.host.memlock,
    container: containerKind(trace),
    failures: new FailNth(trace),
    injected: new Set(),
    told: trace.streamCounts.call > 0,
    bare: withoutStructs(trace),
    filesUnseen: trace.header.fidelity.call === 'partial',
  };
  if (!facts.failures.any) return facts;
  for (let runs = 0, before = -1; runs < MAX_RUNS && facts.injected.size > before; runs++) {
    before = facts.injected.size;
    play(trace, new IoctlVerification(facts));
  }
  return facts;
}

/** Told what the calls do to I/O page tables and to the addresses of memory behind mappings, and what requests for dirty bitmaps find. */
export interface Listeners {
  readonly intents?: IntentListener;
  readonly vaddrs?: VaddrListener;
  readonly harvests?: HarvestListener;
}

/** Plays the calls of a trace through the model, one by one in trace order, and compares as it goes. */
export class IoctlVerification {
  readonly #calls: CallReplay;
  readonly #facts: TraceFacts;
  /** Events whose results are input. */
  readonly #input: { has(event: number): boolean } | undefined;
  readonly #tallies = new Map<string, Tally>();
  readonly #unnamed = new Map<string, number>();
  readonly #skipped: Record<string, number> = {};
  readonly #divergences = new DivergenceList();
  readonly #quirks = new Map<QuirkName, number>();
  readonly #bare = new BareCalls();
  readonly #total: Tally = { agreed: 0, diverged: 0 };
  readonly #reads = { predicted: 0, all: 0 };
  /** Processes that locked memory under a limit that is not known. */
  readonly #unlimited = new Set<number>();
  /** Windows of fault injection whose failure has come. */
  readonly #spent = new Set<FailWindow>();
  /** Contexts, or processes, in which the model did what the kernel failed to do: what differs there later may come of it. */
  readonly #ahead = new WeakSet<object>();

  constructor(facts: TraceFacts, listeners: Listeners = {}) {
    this.#facts = facts;
    this.#input = (facts.driver ?? facts.hardware)?.events;
    const { births, told } = facts;
    this.#calls = new CallReplay({ births, told, newMachine: () => newMachine(facts, listeners) });
  }

  get machine(): Machine {
    return this.#calls.machine;
  }

  ioctl(event: number, columns: Columns<'ioctl'>, row: number, strings: readonly string[]): void {
    const request = (columns.request[row] ?? 0) >>> 0;
    const process = this.#calls.process(columns.pid[row] ?? 0, event);
    const fd = columns.fd[row] ?? -1;
    const path = strings[columns.path[row] ?? -1];
    const bare = this.#facts.bare(process.pid);
    const file = fileOf(this.machine, process, fd, path, bare);
    if (file?.kind !== 'iommufd' && !isVfioFile(file)) {
      this.#skip(`on ${path ?? 'an unknown file'}`);
      return;
    }
    const errno = columns.errno[row] ?? 0;
    const value = signed(columns.retLo, columns.retHi, row);
    const ret = errno > 0 ? -errno : value;
    const context = isVfioFile(file) ? undefined : (file as IommufdFile).context;
    if (this.#facts.injected.has(event)) {
      this.#injected(event, -ret);
      const struct = ((columns.seen[row] ?? 0) & SEEN.before) === 0 ? undefined : bytesOf(columns.before, row);
      if (context !== undefined && mayStayDone(request, struct, -ret)) {
        this.#calls.doubts.context(context, 'follows a call that failed by injection when it was done');
      }
      rememberMemory(process, memoryOf(columns.memory, row));
      return;
    }
    if (errno < 0) {
      // A call that failed for whatever reason changes nothing; one that never returned may have.
      if (value >= 0) this.#calls.doubts.process(process.pid, UNKNOWN_EFFECT);
      this.#skip('result not recorded');
      return;
    }
    const seen = columns.seen[row] ?? 0;
    if ((seen & (SEEN.before | SEEN.unreadable)) === 0 && takesStruct(request, file.kind)) {
      if (ret >= 0) this.#calls.doubts.process(process.pid, UNKNOWN_EFFECT);
      if (bare) {
        const argument = unsigned(columns.argLo, columns.argHi, row);
        this.#byResult(event, path, { machine: this.machine, process, file, request, argument, ret });
      } else this.#skip('contents of the struct not recorded');
      return;
    }
    const before = (seen & SEEN.before) === 0 ? undefined : bytesOf(columns.before, row);
    const after = (seen & SEEN.after) === 0 ? undefined : bytesOf(columns.after, row);
    const memory = memoryOf(columns.memory, row);
    const address = unsigned(columns.argLo, columns.argHi, row);
    const regions: CallRegion[] = [];
    if (before !== undefined) regions.push({ field: '', address, bytes: before, after: undefined, unknown: false });
    for (const item of memory) regions.push(regionOf(item));
    const argument = joinWords(columns.argLo[row] ?? 0, columns.argHi[row] ?? 0);
    process.memory.begin(regions);
    if (this.#facts.filesUnseen && ret >= 0) takeNumbersBelow(process, request, ret, after);
    const kind = file.kind === 'vfioDevice' ? VFIO_DEVICE_FILE : path;
    const recorded: Recorded = { event, fd, file: kind, request, ret, after, memory };
    const armed = ret < 0 && this.#facts.failures.at(event) !== undefined;
    const fds = armed ? new Set(process.fds.keys()) : undefined;
    try {
      const model = isVfioFile(file)
        ? file.ioctl({ machine: this.machine, process, request, argument })
        : runIoctl(iommufdIoctls, vfioCompat, (file as IommufdFile).context, process, request, argument);
      if (this.#input?.has(event) === true) this.#skip("hardware's answer, taken as input");
      else this.#compare(recorded, regions, model, process, context);
    } catch (error) {
      if (!(error instanceof Unjudged)) throw error;
      this.#skip(error.reason);
      if (ret >= 0) error.effect?.(ret);
      else error.refused?.(-ret);
    }
    if (bare && request === VFIO.groupGetDeviceFd && ret >= 0) moveNewest(process, ret);
    // What failed gave no descriptor.
    if (fds !== undefined) for (const made of process.fds.keys()) if (!fds.has(made)) process.close(made);
    this.#takeQuirks();
    if (process.limitMissed) this.#unlimited.add(process.pid);
    process.memory.end();
    rememberMemory(process, memory);
  }

  /** `task`: the thread that made it; negative: not known. */
  call(event: number, columns: Columns<'call'>, row: number, strings: readonly string[], task: number): void {
    this.#calls.call(event, columns, row, strings, task, (call) => this.#transfer(event, call));
  }

  /** A call without its struct. */
  #byResult(event: number, path: string | undefined, call: BareCall): void {
    const verdict = this.#bare.judge(call);
    if ('skipped' in verdict) {
      this.#skip(verdict.skipped);
      return;
    }
    const name = ioctlName(call.request, call.file.kind === 'vfioDevice' ? VFIO_DEVICE_FILE : path, undefined);
    const outcome = verdict.agrees ? 'agreed' : 'diverged';
    this.#tally(this.#partOf(name))[outcome]++;
    this.#total[outcome]++;
    if (verdict.agrees) return;
    const recorded = call.ret < 0 ? errnoName(-call.ret) : String(call.ret);
    this.#divergences.add({ event, kind: 'ioctl', what: `${name} ret`, recorded, model: verdict.expected });
  }

  /** What was lost may have done anything. */
  lost(): void {
    this.#bare.lost();
    this.#calls.lost();
  }

  /** Reads and writes of event fds: they are no ioctls, so they count as a part of their own. */
  #transfer(event: number, call: SystemCall): void {
    if (this.#facts.injected.has(event)) {
      this.#injected(event, -call.ret);
      return;
    }
    const process = this.#calls.process(call.pid, event);
    const found = transferEvents(process, call, this.#input !== undefined);
    if (found === undefined) return;
    this.#takeQuirks();
    if (typeof found === 'string') {
      this.#skip(found);
      return;
    }
    const { name, recorded, model } = found;
    const tallies = [this.#tally('events'), this.#tally(`events.${name}`)];
    if (recorded === model) {
      for (const tally of tallies) tally.agreed++;
      return;
    }
    if (this.#failed(event, call.ret, process, process)) return;
    const excuse = this.#calls.doubts.excuse(call.pid, undefined);
    if (excuse !== undefined) {
      this.#skip(excuse);
      return;
    }
    for (const tally of tallies) tally.diverged++;
    this.#total.diverged++;
    this.#divergences.add({ event, kind: 'ioctl', what: name, recorded, model });
  }

  /**
   * Whether a call failed because a failure was injected into it: nothing else of a result can be explained by that. `ahead`:
   * what the model has changed by doing the call, so that another run must leave it out.
   */
  #failed(event: number, ret: number, process: Process, ahead: object | undefined): boolean {
    const window = this.#facts.failures.at(event);
    if (ret >= 0 || window === undefined || window.fired === false || this.#spent.has(window)) return false;
    this.#injected(event, -ret);
    if (ahead === undefined) return true;
    if (!this.#ahead.has(ahead)) this.#facts.injected.add(event);
    this.#ahead.add(ahead);
    this.#calls.doubts.process(process.pid, UNKNOWN_EFFECT);
    return true;
  }

  #injected(event: number, errno: number): void {
    const window = this.#facts.failures.at(event);
    if (window !== undefined) this.#spent.add(window);
    this.#skip(`failure injected: ${errnoName(errno)}`);
  }

  /** Requests that have no name are one part; each is counted by its number. */
  #partOf(name: string): string {
    if (!UNNAMED.test(name)) return name;
    const known = this.#unnamed.has(name) || this.#unnamed.size < MAX_UNNAMED;
    const key = known ? name : '(others)';
    this.#unnamed.set(key, (this.#unnamed.get(key) ?? 0) + 1);
    return 'unknown requests';
  }

  #tally(name: string): Tally {
    let tally = this.#tallies.get(name);
    if (tally === undefined) {
      tally = { agreed: 0, diverged: 0 };
      this.#tallies.set(name, tally);
    }
    return tally;
  }

  result(): VerifyPart {
    const parts = Object.fromEntries([...this.#tallies].map(([name, tally]) => [`ioctl.${name}`, countsOf(tally)]));
    const { predicted, all } = this.#reads;
    const notes = all === 0 ? [] : [`contents of ${predicted} of ${all} data reads (ACCESS_RW) were predicted`];
    notes.push(
      ...[...this.#quirks].map(([name, count]) => `${count} calls needed the quirk ${name}: ${QUIRKS[name].what}`),
    );
    if (this.#bare.judged > 0)
      notes.push(`${this.#bare.judged} calls were judged by file and result alone: the source shows no structs`);
    notes.push(...failureNotes(this.#facts.failures, this.#spent.size));
    const { container, driver } = this.#facts;
    if (driver !== undefined) notes.push(`VFIO devices are behind the model's driver ${driver.name}`);
    if (container?.iommufd === true)
      notes.push(`/dev/vfio/vfio is an iommufd: event ${container.event}, ${container.why}`);
    if (this.#unlimited.size > 0)
      notes.push(`RLIMIT_MEMLOCK of ${this.#unlimited.size} processes is not known: taken as unlimited`);
    return {
      kind: 'ioctl',
      counts: countsOf(this.#total),
      parts,
      skipped: this.#skipped,
      divergences: this.#divergences.list(),
      notes,
      ...(this.#unnamed.size === 0 ? {} : { unknownRequests: Object.fromEntries(this.#unnamed) }),
    };
  }

  /** Quirks that the call at hand needed. */
  #takeQuirks(): void {
    for (const name of this.machine.takeNeeded()) this.#quirks.set(name, (this.#quirks.get(name) ?? 0) + 1);
  }

  #skip(reason: string): void {
    this.#skipped[reason] = (this.#skipped[reason] ?? 0) + 1;
  }

  #compare(
    recorded: Recorded,
    regions: readonly CallRegion[],
    model: number,
    process: Process,
    context: Context | undefined,
  ): void {
    const found = differences(recorded, regions, model, process);
    if (regions.some((region) => region.unknown || region.recalled)) {
      this.#reads.all++;
      if (typeof found !== 'string') this.#reads.predicted++;
    }
    if (typeof found === 'string') {
      this.#skip(found);
      return;
    }
    const struct = regions[0]?.bytes ?? undefined;
    if (found.length > 0) {
      const unseen = unseenFile(this.#facts.filesUnseen, recorded, model);
      const beyond = unseen ?? beyondModel(recorded.request, struct, model, recorded.ret);
      if (beyond !== undefined) {
        this.#skip(beyond);
        if (recorded.ret >= 0) this.#calls.doubts.process(process.pid, UNKNOWN_EFFECT);
        return;
      }
      if (this.#failed(recorded.event, recorded.ret, process, model >= 0 ? (context ?? process) : undefined)) return;
      if (recorded.fd < 0 && model < 0) this.#calls.doubts.unknown(process.pid);
      const pins = countsPins(recorded.request, struct);
      const excuse =
        this.#calls.doubts.excuse(process.pid, context) ??
        (pins ? this.#calls.doubts.pins(recorded.ret === 0, this.machine.processes.values()) : undefined) ??
        (TAKES_DEVICE.has(recorded.request) && model < 0 && recorded.ret >= 0
          ? this.#calls.doubts.taken(process.pid)
          : undefined);
      if (excuse !== undefined) {
        this.#skip(excuse);
        return;
      }
    }
    const name = ioctlName(recorded.request, recorded.file, struct);
    const tally = this.#tally(this.#partOf(name));
    const outcome = found.length > 0 ? 'diverged' : 'agreed';
    if (found.length === 0 && model >= 0 && MAKES.has(recorded.request)) this.#calls.doubts.made(process.pid);
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

/** SET_CONTAINER, GET_DEVICE_FD, BIND_IOMMUFD: fail where another process has the group or the device. */
const TAKES_DEVICE = new Set([0x3b68, 0x3b6a, 0x3b76]);

/** `0x3b99`, `IOMMU_TEST_CMD 99`: a request, or an operation of the mock driver, of which only the number is known. */
const UNNAMED = /^(?:0x[0-9a-f]+|IOMMU_TEST_CMD \d+)$/;
/** Told apart by number: hostile input has any. */
const MAX_UNNAMED = 1000;

/** Calls that a program begins with, all others need what they make: SET_IOMMU, SET_CONTAINER, BIND_IOMMUFD, IOAS_ALLOC. */
const MAKES = new Set([0x3b66, 0x3b68, 0x3b76, 0x3b81]);

function newMachine(
  { hardware: finding, driver, kernel, memlock, container }: TraceFacts,
  { intents, vaddrs, harvests }: Listeners,
): Machine {
  const backend = driver?.backend ?? (finding === undefined ? mockBackend : recordedBackend(finding.hardware));
  const machine = new Machine(backend, quirksOf(kernel));
  const hardware = (driver ?? finding)?.hardware;
  if (hardware !== undefined) machine.hardware = hardware;
  machine.deviceTraits = driver?.traits;
  machine.memlock = memlock;
  machine.containerIsIommufd = container?.iommufd ?? false;
  machine.intents = intents;
  machine.vaddrs = vaddrs;
  machine.harvests = harvests;
  return machine;
}

/** MD_CHECK_REFS of the mock driver: its result depends on what all processes have pinned. */
const countsPins = (request: number, struct: Uint8Array | undefined): boolean =>
  request === 0x3ba0 && struct?.[4] === 4;

/** MAP, MAP_FILE, COPY, OPTION, VFIO_IOAS: done when the copy of their result fails. */
const DONE_BEFORE_RESULT = new Set([0x3b83, 0x3b85, 0x3b87, 0x3b88, 0x3b8f]);
/** GET_DIRTY_BITMAP, HWPT_INVALIDATE, UNMAP, VFIO's UNMAP_DMA: done in part when they fail half-way. */
const DONE_IN_PART = new Set([0x3b8c, 0x3b8d, 0x3b86, 0x3b72]);
/** Operations of the mock driver: an item id or a replacement stays; DIRTY; an event that is lost is counted. */
const MOCK_DONE = new Set([7, 10, 13, 19]);
const TRIGGER_VEVENT = 17;

/**
 * Whether an injected failure may leave a call done: where it hits the copy of the result (EFAULT; what makes an object is undone
 * then, DESTROY has no result), or half-way.
 */
function mayStayDone(request: number, struct: Uint8Array | undefined, errno: number): boolean {
  if (DONE_IN_PART.has(request)) return true;
  const op = struct?.[4] ?? 0;
  if (request === 0x3ba0 && op === TRIGGER_VEVENT) return true;
  return errno === ERRNO.EFAULT && (DONE_BEFORE_RESULT.has(request) || (request === 0x3ba0 && MOCK_DONE.has(op)));
}

/** What a call's memory held when it returned. */
function rememberMemory(process: Process, memory: readonly UserMemory[]): void {
  for (const { field, addressLo, addressHi, before, after } of memory) {
    const bytes = after ?? before;
    if (bytes !== null && field !== '') process.memory.remember(unsignedWords(addressLo, addressHi), bytes);
  }
}

/** The descriptor of a device that a group gave: the last that was made, where it is known to be. */
function moveNewest(process: Process, fd: number): void {
  const [number, file] = [...process.fds].filter(([, { kind }]) => kind === 'vfioDevice').at(-1) ?? [];
  if (number === undefined || file === undefined || number === fd) return;
  process.installAt(fd, file);
  process.close(number);
}
