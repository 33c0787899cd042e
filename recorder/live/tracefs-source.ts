import { endianness } from 'node:os';
import { IorrError } from '../../traces/errors.ts';
import { parseEventFormat } from '../ftrace/event-format.ts';
import type { EventFormat } from '../ftrace/event-format.ts';
import { DEFAULT_LAYOUT, parseHeaderPage } from '../ftrace/ring-buffer.ts';
import type { SubBufferLayout } from '../ftrace/ring-buffer.ts';
import { limited, missing, ok } from './check.ts';
import type { Check } from './check.ts';
import type { LiveHeader, LiveOptions, LiveRun, LiveSink, LiveSource } from './live-source.ts';
import type { System } from './system.ts';
import { chooseBufferSizes } from './tracefs/buffer-sizes.ts';
import { selectEvents } from './tracefs/event-selection.ts';
import type { KernelEvent } from './tracefs/event-selection.ts';
import { removeLeftBehind } from './tracefs/instance.ts';
import type { TraceInstance } from './tracefs/instance.ts';
import { mountTracefs, tracefsOf } from './tracefs/mount.ts';
import { checkBuffers, checkClock, checkTracefs } from './tracefs/tracefs-check.ts';
import { fidelityOf, makeParts, setFilters } from './tracefs/recorded-parts.ts';
import type { Part } from './tracefs/recorded-parts.ts';
import { TracefsRun } from './tracefs/tracefs-run.ts';

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
      fidelity: fidelityOf(events, options),
    };
  },

  async start(system, options, target, sink): Promise<LiveRun> {
    const tracefs = needTracefs(system);
    const events = selectEvents(system, tracefs, options.events);
    removeLeftBehind(system, tracefs);
    const parts: Part[] = [];
    try {
      makeParts(system, tracefs, events, options, target, parts);
      return await prepare(system, tracefs, parts, options, sink);
    } catch (error) {
      for (const { instance } of parts) instance.remove();
      throw error;
    }
  },
};

async function prepare(
  system: System,
  tracefs: string,
  parts: readonly Part[],
  options: LiveOptions,
  sink: LiveSink,
): Promise<LiveRun> {
  const instances = parts.map(({ instance }) => instance);
  const [first] = instances;
  if (first === undefined) throw new IorrError('RECORDING_FAILED', 'this kernel has none of the events of IOMMUs');
  const buffers = instances.reduce((sum, instance) => sum + instance.cpus().length, 0);
  const sizes = chooseBufferSizes(system, buffers, options.bufferBytes, options.subBufferBytes);
  for (const instance of instances) {
    instance.set('trace_clock', sink.header.clock.name);
    instance.trySet('buffer_subbuf_size_kb', String(sizes.subBufferKb));
    instance.set('buffer_size_kb', String(sizes.cpuKb));
  }
  const layout = readLayout(tracefs, system, first);
  const events = parts.flatMap((part) => part.events);
  const run = new TracefsRun(system, instances, layout, readFormats(system, tracefs, events), sink, sizes.cpuKb * 1024);
  try {
    await run.ready();
    // The reading thread runs by now: it is no part of a recording of everybody.
    for (const part of parts) setFilters(system, part);
    for (const part of parts) for (const event of part.events) part.instance.enable(event);
    for (const instance of instances) instance.switchOn();
  } catch (error) {
    run.abandon();
    throw error;
  }
  return run;
}
