import type { PerfAttr } from './perf-file.ts';

/** Bits of sample_type (include/uapi/linux/perf_event.h, enum perf_event_sample_format). */
const SAMPLE = {
  ip: 1,
  tid: 2,
  time: 4,
  addr: 8,
  read: 16,
  callchain: 32,
  id: 64,
  cpu: 128,
  period: 256,
  streamId: 512,
  raw: 1024,
  identifier: 65536,
} as const;
const READ = { totalEnabled: 1, totalRunning: 2, id: 4, group: 8, lost: 16 } as const;

/** Where the parts of an event's samples lie, from the record's start; -1 for what they lack. */
export interface SampleLayout {
  readonly time: number;
  readonly cpu: number;
  /** Id of the counter. */
  readonly id: number;
  /** Where parts of variable length begin: counters, call chain, record. */
  readonly variable: number;
  readonly readFormat: number;
  readonly hasRead: boolean;
  readonly hasCallchain: boolean;
  readonly hasRaw: boolean;
  /** Behind other records than samples, from their end: when and where. -1 for what they lack. */
  readonly trailerTime: number;
  readonly trailerCpu: number;
}

const HEADER = 8;

export function sampleLayout({ sampleType, readFormat, sampleIdAll }: PerfAttr): SampleLayout {
  const has = (bit: number): boolean => (sampleType & bit) !== 0;
  let at = HEADER;
  const place = (bit: number): number => {
    if (!has(bit)) return -1;
    at += 8;
    return at - 8;
  };
  const identifier = place(SAMPLE.identifier);
  place(SAMPLE.ip);
  place(SAMPLE.tid);
  const time = place(SAMPLE.time);
  place(SAMPLE.addr);
  const id = place(SAMPLE.id);
  place(SAMPLE.streamId);
  const cpu = place(SAMPLE.cpu);
  place(SAMPLE.period);
  // Of the trailer, from its end: identifier, cpu, stream, id, time, tid.
  let back = 0;
  const behind = (bit: number): number => {
    if (!sampleIdAll || !has(bit)) return -1;
    back += 8;
    return back;
  };
  behind(SAMPLE.identifier);
  const trailerCpu = behind(SAMPLE.cpu);
  behind(SAMPLE.streamId);
  behind(SAMPLE.id);
  return {
    time,
    cpu,
    id: identifier >= 0 ? identifier : id,
    variable: at,
    readFormat,
    hasRead: has(SAMPLE.read),
    hasCallchain: has(SAMPLE.callchain),
    hasRaw: has(SAMPLE.raw),
    trailerTime: behind(SAMPLE.time),
    trailerCpu,
  };
}

/** Where the u32 length of the record lies in a sample; -1 if it has none, or is not whole. */
export function rawOffset(layout: SampleLayout, view: DataView, start: number, end: number, little: boolean): number {
  if (!layout.hasRaw) return -1;
  let at = start + layout.variable;
  if (layout.hasRead) {
    const { readFormat } = layout;
    const times = ((readFormat & READ.totalEnabled) !== 0 ? 1 : 0) + ((readFormat & READ.totalRunning) !== 0 ? 1 : 0);
    const each = 1 + ((readFormat & READ.id) !== 0 ? 1 : 0) + ((readFormat & READ.lost) !== 0 ? 1 : 0);
    if ((readFormat & READ.group) === 0) at += (times + each) * 8;
    else {
      if (at + 8 > end) return -1;
      at += (1 + times) * 8 + view.getUint32(at + (little ? 0 : 4), little) * each * 8;
    }
  }
  if (layout.hasCallchain) {
    if (at + 8 > end) return -1;
    at += 8 + view.getUint32(at + (little ? 0 : 4), little) * 8;
  }
  return at + 4 <= end ? at : -1;
}
