import { endianness } from 'node:os';
import { IorrError } from '../../traces/errors.ts';
import type { Fidelity, TraceHeader } from '../../traces/header.ts';
import { parseEventFormat } from '../ftrace/event-format.ts';
import type { EventFormat } from '../ftrace/event-format.ts';
import { DEFAULT_LAYOUT, parseHeaderPage } from '../ftrace/ring-buffer.ts';
import type { SubBufferLayout } from '../ftrace/ring-buffer.ts';
import { limited, missing, ok } from './check.ts';
import type { Check } from './check.ts';
import type { LiveHeader, LiveOptions, LiveRun, LiveSink, LiveSource, LiveTarget } from './live-source.ts';
import { tasksOfTree, threadsOf } from './process-tree.ts';
import type { System } from './system.ts';
import { chooseBufferSizes } from './tracefs/buffer-sizes.ts';
import { selectEvents } from './tracefs/event-selection.ts';
import type { KernelEvent } from './tracefs/event-selection.ts';
import { TraceInstance, removeLeftBehind } from './tracefs/instance.ts';
import { mountTracefs, tracefsOf } from './tracefs/mount.ts';
import { checkBuffers, checkClock, checkTracefs } from './tracefs/tracefs-check.ts';
import { TracefsRun } from './tracefs/tracefs-run.ts';

/** Streams that an event system fills, and whether it has all of them. */
const SEEN_BY: { readonly [system: string]: TraceHeader['fidelity'] } = {
  iommu: { map: 'full', unmap: 'full', attach: 'partial', fault: 'partial' },
  // qi_submit has every descriptor but the waits.
  intel_iommu: { inv: 'partial', flush: 'full', attach: 'partial', prq: 'full' },
  dma: { map: 'full', unmap: 'full' },
  syscalls: { ioctl: 'partial', call: 'partial' },
  raw_syscalls: { ioctl: 'partial', call: 'partial' },
};

/** Drivers unmap, flush and report in interrupts, which run on top of any process: who records only some misses some of it. */
function fidelityOf(events: readonly KernelEvent[], filtered: boolean): TraceHeader['fidelity'] {
  const seen: { [stream: string]: Fidelity } = {};
  for (const { system } of events) Object.assign(seen, SEEN_BY[system]);
  if (filtered) for (const stream of Object.keys(seen)) seen[stream] = 'partial';
  return { ...seen, lost: 'full', mark: 'full' };
}

function checkEvents(system: System, folder: string | undefined, options: LiveOptions): Check {
  const name = 'events';
  if (folder === undefined) return limited(name, 'not known yet', 'tracefs', '');
  try {
    const events = selectEvents(system, folder, options.events);
    const systems = [...new Set(events.map((event) => event.system))];
    if (events.length === 0) return missing(name, 'none of the events of IOMMUs', 'a kernel with CONFIG_IOMMU_API', '');
    const lacking = ['iommu', 'intel_iommu', 'dma', 'syscalls'].filter((one) => !systems.includes(one));
    const found = `${events.length} of ${systems.join(', ')}`;
    if (options.events.length > 0 || lacking.length === 0) return ok(name, found);
    return limited(name, `${found}; this kernel has none of ${lacking.join(', ')}`, 'a kernel built with them', '');
  } catch (error) {
    if (!(error instanceof IorrError)) throw error;
    return missing(name, error.message, error.hint, '');
  }
}

/** Where tracefs is; mounts it if nobody has. Throws `IorrError` RECORDING_FAILED. */
function needTracefs(system: System): string {
  const check = checkTracefs(system);
  const folder = check.state === 'missing' ? undefined : (tracefsOf(system) ?? mountTracefs(system));
  if (folder !== undefined) return folder;
  const found = check.state === 'missing' ? check.found : 'it could not be mounted';
  throw new IorrError('RECORDING_FAILED', `tracefs: ${found}`, {
    hint: check.instead === '' ? check.needs : `${check.needs}. Or: ${check.instead}`,
  });
}

function readFormats(system: System, tracefs: string, events: readonly KernelEvent[]): readonly EventFormat[] {
  // Notes that are written into the instance's trace_marker come with the rest.
  return [...events, { system: 'ftrace', name: 'print' }].flatMap((event) => {
    const text = system.read(`${tracefs}/events/${event.system}/${event.name}/format`) ?? '';
    return parseEventFormat(text, event.system) ?? [];
  });
}

/** What sub-buffers of this kernel look like; `kb` is their size where it was set. */
function readLayout(tracefs: string, system: System, instance: TraceInstance): SubBufferLayout {
  const littleEndian = endianness() === 'LE';
  const announced = parseHeaderPage(system.read(`${tracefs}/events/header_page`) ?? '', littleEndian);
  const layout = announced ?? { ...DEFAULT_LAYOUT, littleEndian };
  // header_page tells of the size that the global buffer has; ours has its own.
  const kb = Number(instance.get('buffer_subbuf_size_kb').trim());
  return Number.isInteger(kb) && kb > 0 ? { ...layout, bytes: kb * 1024 } : layout;
}

/** Event systems whose events are always about the task that runs; any other event may be an interrupt's. */
const OF_OWN_TASK: ReadonlySet<string> = new Set(['syscalls', 'raw_syscalls', 'exceptions']);

function setFilters(system: System, instance: TraceInstance, target: LiveTarget, events: readonly KernelEvent[]): void {
  instance.trySet('options/event-fork', '1');
  if (target.kind === 'everybody') {
    // Not set_event_notrace_pid: it would drop what interrupts unmap and flush for others while the recorder runs.
    const others = threadsOf(system, 'self').map((thread) => `common_pid != ${thread}`);
    for (const event of events.filter((one) => OF_OWN_TASK.has(one.system))) {
      instance.trySet(`events/${event.system}/${event.name}/filter`, others.join(' && '));
    }
    return;
  }
  for (const pid of target.pids) {
    const tasks = tasksOfTree(system, pid);
    if (tasks.length === 0) {
      throw new IorrError('RECORDING_FAILED', `there is no process ${pid}`, { hint: 'name one that runs with --pid' });
    }
    instance.addPids('set_event_pid', tasks);
  }
}

export const tracefsSource: LiveSource = {
  name: 'tracefs',
  description: "the kernel's own trace events, by tracefs in binary form",
  sees: 'maps, unmaps, attaches, DMA API calls, commands of VT-d, page requests, ioctls without their structs, any event by --event',
  misses:
    'DMA itself; commands of SMMUv3 and AMD; faults of VT-d and SMMUv3 (kernel log); what ioctl structs hold (--source bpf)',

  probe(system, options) {
    const folder = tracefsOf(system);
    return [
      checkTracefs(system),
      checkClock(system, folder),
      checkBuffers(system, folder),
      checkEvents(system, folder, options),
    ];
  },

  describe(system, options): LiveHeader {
    const tracefs = needTracefs(system);
    const events = selectEvents(system, tracefs, options.events);
    const mono = checkClock(system, tracefs).state === 'ok';
    return {
      producer: `Linux ${system.kernel}`,
      clock: {
        epochNs: mono ? String(process.hrtime.bigint()) : '0',
        name: mono ? 'mono' : 'local',
        resolutionNs: 1,
      },
      fidelity: fidelityOf(events, options.filtered),
    };
  },

  async start(system, options, target, sink): Promise<LiveRun> {
    const tracefs = needTracefs(system);
    const events = selectEvents(system, tracefs, options.events);
    removeLeftBehind(system, tracefs);
    const instance = new TraceInstance(system, tracefs);
    try {
      return await prepare(system, tracefs, instance, events, options, target, sink);
    } catch (error) {
      instance.remove();
      throw error;
    }
  },
};

async function prepare(
  system: System,
  tracefs: string,
  instance: TraceInstance,
  events: readonly KernelEvent[],
  options: LiveOptions,
  target: LiveTarget,
  sink: LiveSink,
): Promise<LiveRun> {
  instance.set('trace_clock', sink.header.clock.name);
  const cpus = instance.cpus(system).length;
  const sizes = chooseBufferSizes(system, cpus, options.bufferBytes, options.subBufferBytes);
  instance.trySet('buffer_subbuf_size_kb', String(sizes.subBufferKb));
  instance.set('buffer_size_kb', String(sizes.cpuKb));
  const layout = readLayout(tracefs, system, instance);
  const run = new TracefsRun(system, instance, layout, readFormats(system, tracefs, events), sink);
  try {
    await run.ready();
    // The reading thread runs by now: it is no part of a recording of everybody.
    setFilters(system, instance, target, events);
    for (const event of events) instance.enable(event);
    instance.switchOn();
  } catch (error) {
    run.abandon();
    throw error;
  }
  return run;
}
