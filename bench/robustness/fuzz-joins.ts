import { bpftrace } from '../../recorder/import/bpftrace.ts';
import { ftraceText } from '../../recorder/import/ftrace-text.ts';
import { joinCallLogs, callLogHeaders } from '../../recorder/import/join/call-logs.ts';
import { joinHeaders, joinTraces } from '../../recorder/import/join/join.ts';
import { qemuLog } from '../../recorder/import/qemu-log.ts';
import { alignByHeader, alignByMarks } from '../../recorder/merge/align-clocks.ts';
import { IorrError } from '../../traces/errors.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { SegmentBuilder } from '../../traces/segment.ts';
import type { Random } from '../../traces/random.ts';
import { guestLog, hostLog } from '../log-text.ts';
import { simulatedTrace } from '../simulated-trace.ts';
import { importBytes } from './fuzz-importers.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { mutateLog } from './mutate-log.ts';
import { readEverything } from './read-everything.ts';

const LINES = 1500;
/** Between the guest's log and the host's, in one damaged input. */
const SEAM = Buffer.from('\n=====\n');

function join(guest: MemoryTrace, host: MemoryTrace): number {
  const joined = new MemoryTrace(joinHeaders(guest.header, host.header));
  joinTraces(guest, host, joined);
  return readEverything(joined, {});
}

function joinCalls(guest: MemoryTrace, calls: MemoryTrace): number {
  const joined = new MemoryTrace(callLogHeaders(guest.header, [calls.header]));
  joinCallLogs(guest, [calls], joined);
  return readEverything(joined, {});
}

function align(first: MemoryTrace, other: MemoryTrace): number {
  return (alignByMarks(first, other)?.pairs ?? 0) + (alignByHeader(first, other)?.pairs ?? 0);
}

/** Damaged logs of both sides of a run, or of one and its marks, brought together. */
export function fuzzJoins(): FuzzTarget {
  const trace = simulatedTrace('packet-nic', ['events=2500', 'devices=2', 'ring=16', 'calls=yes', 'buffer=4000']);
  const guests = [[...guestLog(trace)].slice(0, LINES)];
  const hosts = [[...hostLog(trace)].slice(0, LINES)];
  const builders = [new SegmentBuilder(), new SegmentBuilder()] as const;
  return {
    make(random) {
      const whole = (lines: readonly string[]): Uint8Array => Buffer.from(`${lines.join('\n')}\n`);
      const a = random.chance(0.7) ? mutateLog(guests, random, LINES).bytes : whole(guests[0] ?? []);
      const b = random.chance(0.7) ? mutateLog(hosts, random, LINES).bytes : whole(hosts[0] ?? []);
      return { name: 'two logs', bytes: new Uint8Array(Buffer.concat([a, SEAM, b])) };
    },
    take(bytes, random: Random) {
      const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(SEAM);
      const cut = at < 0 ? bytes.length : at;
      const guest = importBytes(ftraceText, bytes.subarray(0, cut), random, builders[0]).trace;
      const host = importBytes(
        qemuLog,
        bytes.subarray(Math.min(bytes.length, cut + SEAM.length)),
        random,
        builders[1],
      ).trace;
      try {
        switch (random.below(4)) {
          case 0:
            return { refused: undefined, events: align(guest, host) };
          case 1:
            return {
              refused: undefined,
              events: joinCalls(guest, importBytes(bpftrace, bytes, random, builders[1]).trace),
            };
          default:
            return { refused: undefined, events: join(guest, host) };
        }
      } catch (error) {
        if (error instanceof IorrError) return { refused: error.code, events: 0 };
        throw error;
      }
    },
  };
}
