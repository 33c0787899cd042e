import { formatRequester } from '../../../traces/units.ts';
import { printable } from '../../report/escape.ts';
import { COUNTER, ORDERING, PROCESS, THREAD, TRACK, UNIT } from './fields.ts';
import type { PacketSequence } from './packet-sequence.ts';
import { ProtoWriter } from './wire.ts';

/** Tracks at most, so that hostile input can't fill memory; what comes after shares one. */
const MOST_TRACKS = 65_536;
const MOST_NAME = 200;

/** Groups of tracks, in the order in which they are shown. */
const GROUPS = ['Counters', 'Command queues', 'Devices', 'CPUs', 'Memory', 'Tasks', 'Trace'] as const;
type Group = (typeof GROUPS)[number];

/** Makes tracks when they are first asked for, and describes each once. A track is its number (`uuid`). */
export class Tracks {
  readonly #sequence: PacketSequence;
  readonly #byKey = new Map<string, number>();
  #last = 0;

  constructor(sequence: PacketSequence) {
    this.#sequence = sequence;
  }

  cpu(cpu: number): number {
    return this.#of('CPUs', `cpu ${cpu}`, cpu < 0 ? 'CPU unknown' : `CPU ${cpu}`, Math.max(0, cpu + 1));
  }

  device(rid: number): number {
    return this.#of('Devices', `device ${rid}`, rid === -1 ? 'device unknown' : formatRequester(rid), rid >>> 0);
  }

  queue(unit: string, queue: number): number {
    return this.#of('Command queues', `queue ${queue} ${unit}`, queue === 0 ? unit : `${unit} queue ${queue}`, queue);
  }

  memory(name: string): number {
    return this.#of('Memory', `memory ${name}`, name, 0);
  }

  /** Of the trace itself: marks, losses. */
  notes(): number {
    return this.#of('Trace', 'notes', 'Marks', 0);
  }

  counter(name: string, unit: 'count' | 'bytes' | { readonly name: string }): number {
    return this.#made(`counter ${name}`, (writer) => {
      const counter = new ProtoWriter();
      if (typeof unit === 'string') counter.uint(COUNTER.unit, UNIT[unit]);
      else counter.data(COUNTER.unitName, unit.name);
      writer
        .data(TRACK.name, shown(name))
        .uint(TRACK.parent, this.#group('Counters'))
        .data(TRACK.counter, counter.bytes);
    });
  }

  /** A thread; with an unknown process a task. */
  thread(pid: number, tid: number): number {
    if (pid <= 0 || tid < 0)
      return this.#of('Tasks', `task ${tid}`, tid < 0 ? 'task unknown' : `task ${tid}`, tid >>> 0);
    const known = this.#byKey.get(`thread ${pid} ${tid}`);
    if (known !== undefined) return known;
    this.#made(`process ${pid}`, (writer) =>
      writer.data(TRACK.process, new ProtoWriter().uint(PROCESS.pid, pid).data(PROCESS.name, `process ${pid}`).bytes),
    );
    return this.#made(`thread ${pid} ${tid}`, (writer) => {
      const thread = new ProtoWriter().uint(THREAD.pid, pid).uint(THREAD.tid, tid).data(THREAD.name, `thread ${tid}`);
      writer.data(TRACK.thread, thread.bytes);
    });
  }

  /** A track under another one, for what overlaps there. Shown with its siblings of the same name. */
  lane(parent: number, name: string, lane: number): number {
    return this.#made(`lane ${parent} ${lane} ${name}`, (writer) =>
      writer.data(TRACK.name, shown(name)).uint(TRACK.parent, parent).uint(TRACK.siblingRank, lane),
    );
  }

  #group(name: Group): number {
    return this.#made(`group ${name}`, (writer) =>
      writer
        .data(TRACK.name, name)
        .uint(TRACK.childOrdering, ORDERING.explicit)
        .uint(TRACK.siblingRank, GROUPS.indexOf(name)),
    );
  }

  #of(group: Group, key: string, name: string, rank: number): number {
    return (
      this.#byKey.get(key) ??
      this.#made(key, (writer) =>
        writer
          .data(TRACK.name, shown(name))
          .uint(TRACK.parent, this.#group(group))
          // an int32
          .uint(TRACK.siblingRank, Math.min(rank, 0x7fff_ffff)),
      )
    );
  }

  #made(key: string, describe: (writer: ProtoWriter) => void): number {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (this.#byKey.size >= MOST_TRACKS) return this.#rest();
    const writer = new ProtoWriter();
    describe(writer);
    const uuid = ++this.#last;
    this.#byKey.set(key, uuid);
    this.#sequence.descriptor(described(uuid, writer));
    return uuid;
  }

  #rest(): number {
    const known = this.#byKey.get('rest');
    if (known !== undefined) return known;
    const uuid = ++this.#last;
    this.#byKey.set('rest', uuid);
    this.#sequence.descriptor(described(uuid, new ProtoWriter().data(TRACK.name, 'more tracks')));
    return uuid;
  }
}

function described(uuid: number, rest: ProtoWriter): Uint8Array {
  const head = new ProtoWriter().uint(TRACK.uuid, uuid).bytes;
  const bytes = new Uint8Array(head.length + rest.bytes.length);
  bytes.set(head);
  bytes.set(rest.bytes, head.length);
  return bytes;
}

function shown(name: string): string {
  return printable(name, MOST_NAME);
}
