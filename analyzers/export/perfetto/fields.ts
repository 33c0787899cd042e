/**
 * Field numbers of Perfetto's trace format, as published in google/perfetto, protos/perfetto/: each message names its file.
 * Only what the export writes.
 */

/** trace/trace.proto */
export const TRACE = { packet: 1 } as const;

/** trace/trace_packet.proto */
export const PACKET = {
  clockSnapshot: 6,
  timestamp: 8,
  sequenceId: 10,
  trackEvent: 11,
  internedData: 12,
  sequenceFlags: 13,
  defaults: 59,
  trackDescriptor: 60,
  firstOnSequence: 87,
} as const;

/** trace/trace_packet.proto, SequenceFlags */
export const SEQUENCE = { cleared: 1, needsState: 2 } as const;

/** trace/trace_packet_defaults.proto */
export const DEFAULTS = { clockId: 58 } as const;

/** trace/clock_snapshot.proto: ClockSnapshot, Clock */
export const SNAPSHOT = { clocks: 1, primary: 2 } as const;
export const CLOCK = { id: 1, timestamp: 2 } as const;

/** common/builtin_clock.proto; 64 to 127 are clocks of a packet sequence's own. */
export const CLOCK_ID = { realtime: 1, monotonic: 3, monotonicRaw: 5, boottime: 6, own: 64 } as const;

/** trace/interned_data/interned_data.proto, and its entries (track_event.proto, debug_annotation.proto) */
export const INTERNED = { categories: 1, names: 2, annotationNames: 3 } as const;
export const ENTRY = { iid: 1, name: 2 } as const;

/** trace/track_event/track_descriptor.proto */
export const TRACK = {
  uuid: 1,
  name: 2,
  process: 3,
  thread: 4,
  parent: 5,
  counter: 8,
  childOrdering: 11,
  siblingRank: 12,
} as const;
/** TrackDescriptor.ChildTracksOrdering */
export const ORDERING = { explicit: 3 } as const;

/** trace/track_event/process_descriptor.proto, thread_descriptor.proto, counter_descriptor.proto */
export const PROCESS = { pid: 1, name: 6 } as const;
export const THREAD = { pid: 1, tid: 2, name: 5 } as const;
export const COUNTER = { unit: 3, unitName: 6 } as const;
/** CounterDescriptor.Unit */
export const UNIT = { count: 2, bytes: 3 } as const;

/** trace/track_event/track_event.proto */
export const EVENT = {
  categoryIids: 3,
  annotations: 4,
  type: 9,
  nameIid: 10,
  track: 11,
  counterValue: 30,
  doubleValue: 44,
} as const;
/** TrackEvent.Type */
export const EVENT_TYPE = { begin: 1, end: 2, instant: 3, counter: 4 } as const;

/** trace/track_event/debug_annotation.proto */
export const ANNOTATION = { nameIid: 1, uint: 3, int: 4, text: 6, pointer: 7 } as const;
