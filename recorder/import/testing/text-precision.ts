import type { PlainEvent } from '../../../traces/event.ts';

/**
 * How a time in ns becomes the microseconds of a text: the kernel and trace-cmd round (kernel/trace/trace_output.c, ns2usecs),
 * perf cuts (tools/perf/util/util.c, timestamp__scnprintf_usec).
 */
export const PRINTED_TIME = {
  rounded: (ns: number): number => Math.floor((ns + 500) / 1000) * 1000,
  cut: (ns: number): number => Math.floor(ns / 1000) * 1000,
} as const;

function text(event: object): string {
  return JSON.stringify(event, (_key, value: unknown) => {
    if (typeof value === 'bigint') return `0x${value.toString(16)}`;
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
  });
}

/**
 * The first event in which records and the text printed of them differ; undefined if there is none. Durations are differences
 * of two rounded times in the text, so they may be 1 us apart.
 */
export function firstDifference(
  records: Iterable<PlainEvent>,
  printed: Iterable<PlainEvent>,
  printedTime: (ns: number) => number = PRINTED_TIME.rounded,
): string | undefined {
  const others = printed[Symbol.iterator]();
  let number = 0;
  for (const record of records) {
    number++;
    const other = others.next();
    if (other.done === true) return `the text has ${number - 1} events, the records have more`;
    const { duration = 0n, ...fields } = record.fields as Record<string, unknown>;
    const { duration: printedDuration = 0n, ...printedFields } = other.value.fields as Record<string, unknown>;
    const mine = text({ ...record, time: printedTime(record.time), fields });
    const theirs = text({ ...other.value, fields: printedFields });
    const apart = Math.abs(Number(duration) - Number(printedDuration));
    if (mine !== theirs || apart > 1000)
      return `event ${number}: ${mine}, printed ${theirs}; durations are ${apart} ns apart`;
  }
  return others.next().done === true ? undefined : `the records have ${number} events, the text has more`;
}
