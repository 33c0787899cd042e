import { describe, expect, test } from 'vitest';
import { Random } from '../../traces/random.ts';
import { STREAM_ID } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { errnoName } from '../../traces/errno-names.ts';
import { FAILING_CASES, sweep } from './testing/failing-cases.ts';
import { FailingKernel } from './testing/failing-kernel.ts';
import { verifyIoctl } from './verify-ioctl.ts';

const UNREAD = 'data read from memory whose contents were not recorded';

function recorded(names: readonly string[]): { kernel: FailingKernel; runs: number } {
  const kernel = new FailingKernel();
  let runs = 0;
  for (const name of names) {
    const found = FAILING_CASES[name];
    if (found !== undefined) runs += sweep(kernel, found);
  }
  return { kernel, runs };
}

function reasonsOf(kernel: FailingKernel): Record<string, number> {
  return Object.fromEntries(
    [...kernel.injected].map(([errno, count]) => [`failure injected: ${errnoName(errno)}`, count]),
  );
}

describe('a sweep of fault injection', () => {
  test.each([...Object.keys(FAILING_CASES).map((name) => [name]), Object.keys(FAILING_CASES)])(
    '%s: injected failures are named, all else agrees',
    (...names) => {
      const { kernel, runs } = recorded(names);
      expect(runs).toBeGreaterThan(10);
      const part = verifyIoctl(kernel.calls.trace);
      const injected = [...kernel.injected.values()].reduce((sum, count) => sum + count, 0);
      expect(part?.divergences).toEqual([]);
      const { [UNREAD]: unread = 0, ...named } = part?.skipped ?? {};
      expect(named).toEqual(reasonsOf(kernel));
      // The buffer's first contents are in no recording.
      expect(unread > 0).toBe(names.some((name) => name.includes('read and write')));
      const judgedCalls = kernel.ioctls - injected - unread;
      expect(part?.counts).toEqual({ checked: judgedCalls, agreed: judgedCalls, diverged: 0 });
      const judged = `: ${injected} made an ioctl or a transfer of events fail`;
      expect(part?.notes.filter((note) => note.includes(judged))).toHaveLength(1);
    },
  );

  test('a result that no injection explains diverges, in armed stretches and out of them', () => {
    const { kernel } = recorded(Object.keys(FAILING_CASES));
    const { trace } = kernel.calls;
    const rows = outcomes(trace);
    const random = new Random(5);
    const altered = new Set<number>();
    while (altered.size < 40) {
      const row = rows[random.below(rows.length)];
      if (row === undefined || altered.has(row.event) || row.errno !== 0 || !row.makes) continue;
      altered.add(row.event);
      // Another id than the model's, which no failure gives.
      row.alter();
    }
    const found = new Set(verifyIoctl(trace)?.divergences.map(({ event }) => event));
    expect([...found].sort((a, b) => a - b)).toEqual([...altered].sort((a, b) => a - b));
  });
});

interface Outcome {
  readonly event: number;
  readonly errno: number;
  readonly makes: boolean;
  alter(): void;
}

/** Every ioctl; `makes`: it gives an id of an IOAS, at byte 8. */
function outcomes(trace: Trace): Outcome[] {
  const all: Outcome[] = [];
  for (const segment of trace.segments({ columns: { ioctl: 'all' } })) {
    const { columns } = segment.rows.ioctl;
    let row = 0;
    for (let i = 0; i < segment.count; i++) {
      if (segment.stream[i] !== STREAM_ID.ioctl) continue;
      const at = (columns.after.offsets[row] ?? 0) + 8;
      all.push({
        event: segment.firstEvent + i,
        errno: columns.errno[row] ?? 0,
        makes: columns.request[row] === 0x3b81,
        alter: () => {
          columns.after.data[at] = (columns.after.data[at] ?? 0) ^ 0x40;
        },
      });
      row++;
    }
  }
  return all;
}
