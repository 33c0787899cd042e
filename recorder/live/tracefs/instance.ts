import { closeSync, constants, mkdirSync, openSync, readFileSync, rmdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { IorrError } from '../../../traces/errors.ts';
import type { System } from '../system.ts';
import { formatInstanceName, leftBehind, ownerOf } from './instance-name.ts';
import type { KernelEvent } from './event-selection.ts';

/** What the kernel counted on one CPU (per_cpu/cpuN/stats, kernel/trace/trace.c tracing_stats_read). */
interface CpuStats {
  /** Bytes that were not read yet. */
  readonly bytes: number;
  /** Events overwritten before they were read, and events that found no room. */
  readonly overrun: number;
  readonly commitOverrun: number;
  readonly dropped: number;
}

// bytes: 1024
// overrun: 0
// commit overrun: 0
// dropped events: 0
function parseCpuStats(text: string): CpuStats {
  const value = (name: string): number => Number(new RegExp(`^${name}: (\\d{1,15})$`, 'm').exec(text)?.[1] ?? 0);
  return {
    bytes: value('bytes'),
    overrun: value('overrun'),
    commitOverrun: value('commit overrun'),
    dropped: value('dropped events'),
  };
}

/** Removes instances whose recorder was killed; gives their names. */
export function removeLeftBehind(system: System, tracefs: string): readonly string[] {
  const folder = join(tracefs, 'instances');
  return leftBehind(system, system.list(folder)).filter((name) => {
    try {
      write(join(folder, name, 'tracing_on'), '0');
      write(join(folder, name, 'events/enable'), '0');
      rmdirSync(join(folder, name));
      return true;
    } catch {
      // Somebody reads it: it is left alone.
      return false;
    }
  });
}

/** Writes into a file of tracefs, which may do much on one write and does it at once. */
function write(path: string, text: string, flags = constants.O_WRONLY): void {
  const descriptor = openSync(path, flags);
  try {
    writeSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

/** The buffers of all CPUs of one trace instance, as a recording reads them. */
export interface RingBuffers {
  readonly folder: string;
  /** CPUs with a buffer, by number. */
  cpus(): readonly number[];
  /** Path of a CPU's binary stream. */
  pipe(cpu: number): string;
  stats(cpu: number): CpuStats;
  /** Nothing more is recorded. */
  switchOff(): void;
  /** Gives the buffers back. */
  remove(): void;
}

/**
 * A trace instance of our own: buffers, events and filters of this recording alone, whatever others trace at the same time
 * (Documentation/trace/ftrace.rst, instances). Nothing is recorded before `switchOn`.
 */
export class TraceInstance implements RingBuffers {
  readonly folder: string;
  readonly #system: System;
  #removed = false;

  /** `part` is its own where one recording has several. Throws `IorrError` RECORDING_FAILED. */
  constructor(system: System, tracefs: string, part = '') {
    this.#system = system;
    this.folder = join(tracefs, 'instances', formatInstanceName(ownerOf(system, process.pid), part));
    this.#attempt('make a trace instance', () => mkdirSync(this.folder));
    try {
      this.set('tracing_on', '0');
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** CPUs with a buffer, by number. */
  cpus(): readonly number[] {
    return this.#system
      .list(join(this.folder, 'per_cpu'))
      .flatMap((name) => (/^cpu\d{1,6}$/.test(name) ? [Number(name.slice(3))] : []))
      .sort((a, b) => a - b);
  }

  /** Text of one of its files; empty where there is none. */
  get(file: string): string {
    try {
      return readFileSync(join(this.folder, file), 'utf8');
    } catch {
      return '';
    }
  }

  /** Writes into one of its files. Throws `IorrError` RECORDING_FAILED. */
  set(file: string, text: string): void {
    this.#attempt(`set ${file} to ${text}`, () => write(join(this.folder, file), text));
  }

  /** The same, where an older kernel may have no such file or setting. True if it took it. */
  trySet(file: string, text: string): boolean {
    try {
      write(join(this.folder, file), text);
      return true;
    } catch {
      return false;
    }
  }

  /** Adds ids to a list such as `set_event_pid`. Ids of processes that ended meanwhile are no failure. */
  addPids(file: string, pids: readonly number[]): void {
    for (const pid of pids) {
      this.#attempt(`add process ${pid} to ${file}`, () =>
        write(join(this.folder, file), `${pid}\n`, constants.O_WRONLY | constants.O_APPEND),
      );
    }
  }

  enable(event: KernelEvent): void {
    this.set(`events/${event.system}/${event.name}/enable`, '1');
  }

  switchOn(): void {
    this.set('tracing_on', '1');
  }

  switchOff(): void {
    this.trySet('tracing_on', '0');
    this.trySet('events/enable', '0');
  }

  stats(cpu: number): CpuStats {
    return parseCpuStats(this.get(`per_cpu/cpu${cpu}/stats`));
  }

  /** Path of a CPU's binary stream. */
  pipe(cpu: number): string {
    return join(this.folder, `per_cpu/cpu${cpu}/trace_pipe_raw`);
  }

  /** Gives its buffers back; all descriptors in it must be closed. Harmless when done before. */
  remove(): void {
    if (this.#removed) return;
    this.switchOff();
    try {
      rmdirSync(this.folder);
      this.#removed = true;
    } catch {
      // The next start finds it.
    }
  }

  #attempt(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new IorrError('RECORDING_FAILED', `tracefs would not ${what}: ${reason}`, {
        place: { file: this.folder },
        hint: 'iorr doctor says what this machine can record',
        cause: error,
      });
    }
  }
}
