import { FORMAT_VERSION } from '../../traces/header.ts';
import { toolVersion } from '../../traces/tool.ts';
import { buildId } from './build-id.ts';
import { MOST_BLOCKS, MOST_BLOCK_BYTES, PROTOCOL } from './cluster-limits.ts';

/** A program, as far as its results depend on it. */
export interface Program {
  readonly version: string;
  /** Of the trace container. */
  readonly format: number;
  /** Of what is stored in the Redis. */
  readonly protocol: number;
  /** Hash of its code: two programs of one version may differ. */
  readonly build: string;
}

/** What a sweep says of itself to workers. */
export interface SweepEntry {
  readonly program: Program;
  /** Hash of the manifest of its trace. */
  readonly trace: string;
  /** Bytes of the trace. */
  readonly bytes: number;
  readonly tasks: number;
  /** Who asks, for people. */
  readonly host: string;
}

export function ownProgram(): Program {
  return { version: toolVersion(), format: FORMAT_VERSION, protocol: PROTOCOL, build: buildId() };
}

export function describeProgram({ version, format, build }: Program): string {
  return `iorr ${version} (trace format ${format}, build ${build})`;
}

/** Why a worker's program may not run a sweep's points, undefined if it may: what differs would make other bytes. */
export function refusalOf(worker: Program, sweep: Program): string | undefined {
  const same =
    worker.version === sweep.version &&
    worker.format === sweep.format &&
    worker.protocol === sweep.protocol &&
    worker.build === sweep.build;
  return same ? undefined : `the sweep is of ${describeProgram(sweep)}, the worker is ${describeProgram(worker)}`;
}

const HEX = /^[0-9a-f]+$/;

/** Undefined for what is no entry. */
export function parseEntry(text: string): SweepEntry | undefined {
  const value = parseObject(text);
  const program = value === undefined ? undefined : objectOf(value['program']);
  if (value === undefined || program === undefined) return undefined;
  const { version, format, protocol, build } = program;
  const { trace, bytes, tasks, host } = value;
  if (!isName(version) || !isName(build) || !isCount(format, 1e6) || !isCount(protocol, 1e6)) return undefined;
  if (typeof trace !== 'string' || trace.length !== 64 || !HEX.test(trace) || !isName(host)) return undefined;
  if (!isCount(bytes, MOST_BLOCKS * MOST_BLOCK_BYTES) || !isCount(tasks, 1e9)) return undefined;
  return { program: { version, format, protocol, build }, trace, bytes, tasks, host };
}

/** What a worker says of itself to a sweep that it serves, or may not. */
export interface WorkerRecord {
  readonly host: string;
  readonly pid: number;
  /** Tasks that it runs at once. */
  readonly slots: number;
  /** Tasks of this sweep that it has done. */
  readonly done: number;
  /** What is done of those that it is at, in tasks. */
  readonly running: number;
  /** Why it can't serve the sweep; empty: it does. */
  readonly trouble: string;
}

/** Undefined for what is no record. */
export function parseWorker(text: string): WorkerRecord | undefined {
  const value = parseObject(text);
  if (value === undefined) return undefined;
  const { host, pid, slots, done, running, trouble } = value;
  if (!isName(host) || !isCount(pid, 2 ** 32) || !isCount(slots, 1e6) || !isCount(done, 1e9)) return undefined;
  if (typeof running !== 'number' || !(running >= 0 && running <= slots)) return undefined;
  if (typeof trouble !== 'string' || trouble.length > 1000) return undefined;
  return { host, pid, slots, done, running, trouble };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 255;
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
}

/** Undefined for text that is no JSON object. */
export function parseObject(text: string): { readonly [key: string]: unknown } | undefined {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): { readonly [key: string]: unknown } | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return value as { readonly [key: string]: unknown };
}
