/**
 * Reads Perfetto traces by field numbers of its own, typed off google/perfetto, protos/perfetto/trace/*.proto: knows nothing of
 * the writer, so that a wrong number there does not go unseen.
 */

type Field = readonly [name: string, kind: 'uint' | 'int' | 'double' | 'text' | Schema];
interface Schema {
  readonly [number: number]: Field;
}

const CLOCK: Schema = { 1: ['clock_id', 'uint'], 2: ['timestamp', 'uint'], 3: ['is_incremental', 'uint'] };
const ENTRY: Schema = { 1: ['iid', 'uint'], 2: ['name', 'text'] };
const ANNOTATION: Schema = {
  1: ['name_iid', 'uint'],
  2: ['bool_value', 'uint'],
  3: ['uint_value', 'uint'],
  4: ['int_value', 'int'],
  5: ['double_value', 'double'],
  6: ['string_value', 'text'],
  7: ['pointer_value', 'uint'],
  10: ['name', 'text'],
};
const TRACK_EVENT: Schema = {
  3: ['category_iids', 'uint'],
  4: ['debug_annotations', ANNOTATION],
  9: ['type', 'uint'],
  10: ['name_iid', 'uint'],
  11: ['track_uuid', 'uint'],
  22: ['categories', 'text'],
  23: ['name', 'text'],
  30: ['counter_value', 'int'],
  44: ['double_counter_value', 'double'],
};
const TRACK_DESCRIPTOR: Schema = {
  1: ['uuid', 'uint'],
  2: ['name', 'text'],
  3: ['process', { 1: ['pid', 'int'], 6: ['process_name', 'text'] }],
  4: ['thread', { 1: ['pid', 'int'], 2: ['tid', 'int'], 5: ['thread_name', 'text'] }],
  5: ['parent_uuid', 'uint'],
  8: ['counter', { 3: ['unit', 'uint'], 4: ['unit_multiplier', 'int'], 6: ['unit_name', 'text'] }],
  11: ['child_ordering', 'uint'],
  12: ['sibling_order_rank', 'int'],
};
const PACKET: Schema = {
  6: ['clock_snapshot', { 1: ['clocks', CLOCK], 2: ['primary_trace_clock', 'uint'] }],
  8: ['timestamp', 'uint'],
  10: ['trusted_packet_sequence_id', 'uint'],
  11: ['track_event', TRACK_EVENT],
  12: [
    'interned_data',
    { 1: ['event_categories', ENTRY], 2: ['event_names', ENTRY], 3: ['debug_annotation_names', ENTRY] },
  ],
  13: ['sequence_flags', 'uint'],
  58: ['timestamp_clock_id', 'uint'],
  59: ['trace_packet_defaults', { 58: ['timestamp_clock_id', 'uint'] }],
  60: ['track_descriptor', TRACK_DESCRIPTOR],
  87: ['first_packet_on_sequence', 'uint'],
};

/** A message: its fields by name, each as often as it came. */
export type Message = Map<string, unknown[]>;

class Reader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) throw new Error(`varint cut at ${this.at}`);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new Error(`varint too long at ${this.at}`);
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.#bytes.length) throw new Error(`${length} bytes expected at ${this.at}`);
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }
}

function decode(bytes: Uint8Array, schema: Schema): Message {
  const message: Message = new Map();
  const reader = new Reader(bytes);
  while (!reader.done) {
    const tag = Number(reader.varint());
    const field = schema[tag >> 3];
    if (field === undefined) throw new Error(`no field ${tag >> 3} in a message with ${Object.keys(schema).join()}`);
    const [name, kind] = field;
    const wire = tag & 7;
    const wanted = kind === 'uint' || kind === 'int' ? 0 : kind === 'double' ? 1 : 2;
    if (wire !== wanted) throw new Error(`wire type ${wire} of ${name}, ${wanted} expected`);
    const values = message.get(name) ?? [];
    message.set(name, values);
    if (wire === 0) values.push(kind === 'int' ? BigInt.asIntN(64, reader.varint()) : reader.varint());
    else if (wire === 1) values.push(Buffer.from(reader.take(8)).readDoubleLE());
    else {
      const data = reader.take(Number(reader.varint()));
      if (typeof kind === 'object') values.push(decode(data, kind));
      else values.push(new TextDecoder('utf-8', { fatal: true }).decode(data));
    }
  }
  return message;
}

export function one(message: Message | undefined, name: string): unknown {
  return message?.get(name)?.[0];
}

function all(message: Message | undefined, name: string): readonly Message[] {
  return (message?.get(name) ?? []) as Message[];
}

export interface DecodedEvent {
  readonly type: 'begin' | 'end' | 'instant' | 'counter';
  /** On the clock of the trace. */
  readonly time: bigint;
  readonly track: bigint;
  readonly category: string;
  readonly name: string;
  readonly value: number;
  readonly annotations: { readonly [name: string]: unknown };
}

export interface DecodedTrack {
  readonly uuid: bigint;
  readonly name: string;
  readonly parent: bigint | undefined;
  readonly descriptor: Message;
}

export interface DecodedTrace {
  readonly packets: readonly Message[];
  readonly tracks: ReadonlyMap<bigint, DecodedTrack>;
  readonly events: readonly DecodedEvent[];
  readonly primaryClock: number;
}

const TYPES = ['', 'begin', 'end', 'instant', 'counter'] as const;

/** Reads a trace as an importer would: interned texts by number, times set to the primary clock. Throws on any breach. */
export function decodePerfetto(bytes: Uint8Array): DecodedTrace {
  const packets = all(decode(bytes, { 1: ['packet', PACKET] }), 'packet');
  const tracks = new Map<bigint, DecodedTrack>();
  const events: DecodedEvent[] = [];
  const texts = new Map<string, string>();
  let stateFrom = false;
  let offset: bigint | undefined;
  let clockId: bigint | undefined;
  let primaryClock = 0;
  for (const packet of packets) {
    if (one(packet, 'trusted_packet_sequence_id') !== 1n) throw new Error('a packet without its sequence');
    const flags = Number(one(packet, 'sequence_flags') ?? 0n);
    if ((flags & 1) !== 0) {
      stateFrom = true;
      texts.clear();
    }
    if (!stateFrom) throw new Error('a packet before the state began');
    const defaults = all(packet, 'trace_packet_defaults')[0];
    if (defaults !== undefined) clockId = one(defaults, 'timestamp_clock_id') as bigint;
    for (const snapshot of all(packet, 'clock_snapshot')) {
      const clocks = all(snapshot, 'clocks').map((clock) => [one(clock, 'clock_id'), one(clock, 'timestamp')] as const);
      const primary = one(snapshot, 'primary_trace_clock');
      const own = clocks.find(([id]) => id === clockId)?.[1];
      const other = clocks.find(([id]) => id === primary)?.[1];
      if (typeof own !== 'bigint' || typeof other !== 'bigint')
        throw new Error('clocks are not set against each other');
      offset = other - own;
      primaryClock = Number(primary);
    }
    for (const interned of all(packet, 'interned_data')) {
      for (const [kind, entries] of interned) {
        for (const entry of entries as Message[]) {
          const key = `${kind} ${String(one(entry, 'iid'))}`;
          if (texts.has(key)) throw new Error(`${key} given twice`);
          texts.set(key, String(one(entry, 'name')));
        }
      }
    }
    for (const descriptor of all(packet, 'track_descriptor')) {
      const uuid = one(descriptor, 'uuid') as bigint;
      if (tracks.has(uuid)) throw new Error(`track ${uuid} described twice`);
      const name = one(descriptor, 'name') ?? one(all(descriptor, 'thread')[0], 'thread_name');
      tracks.set(uuid, {
        uuid,
        name: String(name ?? one(all(descriptor, 'process')[0], 'process_name')),
        parent: one(descriptor, 'parent_uuid') as bigint | undefined,
        descriptor,
      });
    }
    for (const event of all(packet, 'track_event')) {
      if ((flags & 2) === 0) throw new Error('an event that does not ask for the state that it needs');
      const text = (kind: string, iid: unknown): string => {
        const known = texts.get(`${kind} ${String(iid)}`);
        if (known === undefined) throw new Error(`${kind} ${String(iid)} was never given`);
        return known;
      };
      const type = TYPES[Number(one(event, 'type'))];
      const track = one(event, 'track_uuid') as bigint;
      if (type === undefined || type === '') throw new Error('an event without a type');
      if (!tracks.has(track)) throw new Error(`track ${track} was never described`);
      if (offset === undefined) throw new Error('an event before the clocks');
      const named = type === 'begin' || type === 'instant';
      const value = one(event, 'counter_value') ?? one(event, 'double_counter_value');
      events.push({
        type,
        time: (one(packet, 'timestamp') as bigint) + offset,
        track,
        category: named ? text('event_categories', one(event, 'category_iids')) : '',
        name: named ? text('event_names', one(event, 'name_iid')) : '',
        value: value === undefined ? Number.NaN : Number(value),
        annotations: Object.fromEntries(
          all(event, 'debug_annotations').map((annotation) => [
            text('debug_annotation_names', one(annotation, 'name_iid')),
            [...annotation].find(([name]) => name !== 'name_iid')?.[1][0],
          ]),
        ),
      });
    }
  }
  return { packets, tracks, events, primaryClock };
}
