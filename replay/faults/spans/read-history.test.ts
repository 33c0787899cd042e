import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAULT_QUEUE_FILE } from '../../../traces/ioctl-requests.ts';
import { MemoryTrace } from '../../../traces/memory-trace.ts';
import { ACCESS, CALL_EVENT, DIALECT, INV_FORM, STREAM_ID } from '../../../traces/schema.ts';
import { testHeader } from '../../../traces/testing/test-header.ts';
import { answeredBy } from './answered-by.ts';
import type { PriFindingKind } from './page-request.ts';
import { readPriHistory } from './read-history.ts';

const RID = 0x100;
const IRQ = 30;
const SERVER = 190;
const WORKER = 57;

type Step =
  | { readonly kind: 'request'; seq: number; index: number; page: number; last: boolean; pasid?: number; task?: number }
  | { readonly kind: 'answer'; index: number; code?: number; task?: number; pasid?: number }
  | { readonly kind: 'read'; index: number; pages: readonly number[]; cookie: number; cut?: boolean; pasid?: number }
  | { readonly kind: 'write'; cookie: number; code?: number; ret?: number }
  | { readonly kind: 'ioctl'; request: number; duration: number };

function traceOf(steps: readonly Step[], gap = 10_000): MemoryTrace {
  const trace = new MemoryTrace(testHeader());
  steps.forEach((step, i) => put(trace, step, (i + 1) * gap));
  return trace;
}

function put(trace: MemoryTrace, step: Step, time: number): void {
  switch (step.kind) {
    case 'request': {
      const row = trace.begin(STREAM_ID.prq, time, 0, step.task ?? IRQ);
      const { columns } = trace.rows.prq;
      columns.unit[row] = trace.intern('dmar0');
      columns.rid[row] = RID;
      columns.pasid[row] = step.pasid ?? 7;
      columns.group[row] = step.index;
      columns.iovaLo[row] = step.page << 12;
      columns.access[row] = ACCESS.read | ACCESS.write | (step.last ? ACCESS.last : 0);
      columns.seq[row] = step.seq;
      return;
    }
    case 'answer': {
      const row = trace.begin(STREAM_ID.inv, time, 0, step.task ?? SERVER);
      const { columns } = trace.rows.inv;
      columns.dialect[row] = DIALECT.vtd;
      columns.form[row] = INV_FORM.words;
      columns.w0Lo[row] = 9 | 0x10 | ((step.code ?? 0) << 12) | (RID << 16);
      columns.w0Hi[row] = step.pasid ?? 7;
      columns.w1Lo[row] = step.index << 3;
      return;
    }
    case 'read':
    case 'write': {
      const data = step.kind === 'read' ? recordsOf(step) : responseOf(step.cookie, step.code ?? 0);
      const row = trace.begin(STREAM_ID.call, time, 0, SERVER);
      const { columns } = trace.rows.call;
      const whole = step.kind === 'read' ? step.pages.length * 40 : 8;
      const ret = step.kind === 'write' ? (step.ret ?? whole) : whole;
      columns.event[row] = CALL_EVENT.syscall;
      columns.pid[row] = SERVER;
      columns.name[row] = trace.intern(step.kind);
      columns.fd[row] = 6;
      columns.retLo[row] = ret;
      columns.retHi[row] = ret < 0 ? -1 : 0;
      columns.path[row] = trace.intern(FAULT_QUEUE_FILE);
      trace.setBytes(columns.data, row, data);
      return;
    }
    case 'ioctl': {
      const row = trace.begin(STREAM_ID.ioctl, time, 0, SERVER);
      const { columns } = trace.rows.ioctl;
      columns.pid[row] = SERVER;
      columns.request[row] = step.request;
      columns.durationLo[row] = step.duration;
    }
  }
}

function recordsOf({ index, pages, cookie, cut, pasid = 7 }: Extract<Step, { kind: 'read' }>): Uint8Array {
  const bytes = new Uint8Array(pages.length * 40);
  const view = new DataView(bytes.buffer);
  pages.forEach((page, i) => {
    const at = i * 40;
    view.setUint32(at, 5 | (i === pages.length - 1 ? 2 : 0), true);
    view.setUint32(at + 4, 1, true);
    view.setUint32(at + 8, pasid, true);
    view.setUint32(at + 12, index, true);
    view.setUint32(at + 16, 3, true);
    view.setBigUint64(at + 24, BigInt(page) << 12n, true);
    view.setUint32(at + 36, cookie, true);
  });
  return cut === true ? bytes.subarray(0, 32) : bytes;
}

function responseOf(cookie: number, code: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, cookie, true);
  new DataView(bytes.buffer).setUint32(4, code, true);
  return bytes;
}

function history(steps: readonly Step[]) {
  const found = readPriHistory(traceOf(steps));
  return { ...found, kinds: found.findings.map(({ kind, event }) => [kind, event] as const) };
}

const request = (seq: number, index: number, page: number, last = true, pasid = 7): Step => ({
  kind: 'request',
  seq,
  index,
  page,
  last,
  pasid,
});
const answer = (index: number, more: Partial<Extract<Step, { kind: 'answer' }>> = {}): Step => ({
  kind: 'answer',
  index,
  ...more,
});

describe('groups', () => {
  test('close with their last request; the PASID is not compared', () => {
    const { groups } = history([
      request(0, 3, 10, false, 8),
      request(1, 4, 20),
      request(2, 3, 11),
      answer(4),
      answer(3),
    ]);
    expect(
      groups.map(({ index, requests, mixed, pasid }) => [index, requests.map(({ page }) => page), mixed, pasid]),
    ).toEqual([
      [3, [10, 11], true, 7],
      [4, [20], false, 7],
    ]);
    expect(groups.every((group) => group.answer !== undefined)).toBe(true);
  });

  test('an index used again is another group, and so is a page asked for again', () => {
    const { groups, kinds } = history([request(0, 1, 5), answer(1), request(1, 1, 5), answer(1, { code: 1 })]);
    expect(groups.map((group) => [group.answer?.code, group.answer?.event])).toEqual([
      [0, 1],
      [1, 3],
    ]);
    expect(kinds).toEqual([]);
  });

  test('a response may come before the trace tells of its last request', () => {
    const { groups, kinds } = history([
      request(0, 1, 5, false),
      answer(1),
      request(1, 1, 6),
      request(2, 2, 9),
      answer(2),
    ]);
    expect(groups.map((group) => [group.index, group.requests.length, group.answer?.event])).toEqual([
      [1, 2, 1],
      [2, 1, 4],
    ]);
    expect(kinds).toEqual([]);
  });

  test('stop markers end nothing and are answered by nobody', () => {
    const trace = traceOf([request(0, 0, 0)]);
    trace.rows.prq.columns.access[0] = ACCESS.last;
    expect(readPriHistory(trace)).toMatchObject({ requests: 1, stopMarkers: 1, groups: [], findings: [] });
  });
});

describe('who answered', () => {
  const by = (steps: readonly Step[]) => {
    const { groups, answerers } = history(steps);
    return groups.map((group) => answeredBy(group, answerers));
  };
  const read: Step = { kind: 'read', index: 1, pages: [5], cookie: 1 };

  test('user space, by its cookie', () => {
    expect(by([request(0, 1, 5), read, answer(1), { kind: 'write', cookie: 1 }])).toEqual([
      { by: 'user', cause: 'response' },
    ]);
  });

  test('user space, by its process', () => {
    expect(by([{ kind: 'ioctl', request: 0x3b8e, duration: 5 }, request(0, 1, 5), answer(1)])).toEqual([
      { by: 'user', cause: 'process' },
    ]);
  });

  test('the kernel: detach, no handler, a handler that failed, its own handler', () => {
    expect(
      by([request(0, 1, 5), read, answer(1, { code: 1 }), { kind: 'ioctl', request: 0x3b78, duration: 15_000 }]),
    ).toEqual([{ by: 'kernel', cause: 'teardown' }]);
    expect(by([answer(1, { code: 1, task: IRQ }), request(0, 1, 5)])).toEqual([{ by: 'kernel', cause: 'no-handler' }]);
    expect(by([answer(1, { code: 15, task: IRQ }), request(0, 1, 5)])).toEqual([{ by: 'kernel', cause: 'failed' }]);
    expect(by([{ kind: 'ioctl', request: 1, duration: 5 }, request(0, 1, 5), answer(1, { task: WORKER })])).toEqual([
      { by: 'kernel', cause: 'handler' },
    ]);
  });

  test('the kernel, by the name of its thread, or because one thread takes requests and fulfils them', () => {
    const trace = traceOf([request(0, 1, 5), answer(1, { task: WORKER })]);
    trace.notes = { import: [{ format: 'ftrace-text', answeringKernelWorkers: [WORKER] }] };
    const { groups, answerers } = readPriHistory(trace);
    expect(groups.map((group) => answeredBy(group, answerers))).toEqual([{ by: 'kernel', cause: 'handler' }]);
    const alone = [request(0, 1, 5), answer(1, { task: IRQ }), request(1, 2, 5), answer(2, { task: IRQ, code: 1 })];
    expect(by(alone)).toEqual([
      { by: 'kernel', cause: 'handler' },
      { by: 'kernel', cause: 'handler' },
    ]);
  });

  test('nobody knows: a trace without system calls', () => {
    expect(by([request(0, 1, 5), answer(1, { task: WORKER })])).toEqual([{ by: 'unknown', cause: 'task' }]);
  });

  test('a request that the driver refuses leaves no trace but its answer', () => {
    const { kinds } = history([request(0, 1, 5), answer(1), answer(2, { code: 1, task: IRQ })]);
    expect(kinds).toEqual([['refused-request', 2]]);
  });
});

describe('user space', () => {
  test('cookies that are given again belong to the newest group', () => {
    const { groups, kinds, user } = history([
      request(0, 1, 5),
      { kind: 'read', index: 1, pages: [5], cookie: 1 },
      answer(1),
      { kind: 'write', cookie: 1 },
      request(1, 2, 6, false),
      request(2, 2, 7),
      { kind: 'read', index: 2, pages: [6, 7], cookie: 1 },
      answer(2, { code: 1 }),
      { kind: 'write', cookie: 1, code: 1 },
    ]);
    expect(kinds).toEqual([]);
    expect(user).toMatchObject({ reads: 2, records: 3, writes: 2, responses: 2 });
    expect(groups.map(({ delivery }) => [delivery?.event, delivery?.response?.code])).toEqual([
      [1, 0],
      [6, 1],
    ]);
  });

  test('of what a source cut the groups follow from their number', () => {
    const { groups, kinds, user } = history([
      request(0, 1, 5),
      request(1, 2, 6, false),
      request(2, 2, 7),
      { kind: 'read', index: 1, pages: [5, 6, 7], cookie: 1, cut: true },
      answer(2),
      { kind: 'write', cookie: 2 },
      answer(1),
      { kind: 'write', cookie: 1 },
    ]);
    expect(kinds).toEqual([]);
    expect(user).toMatchObject({ reads: 1, records: 3, cut: 2 });
    expect(groups.map(({ delivery }) => delivery?.response?.event)).toEqual([7, 5]);
  });

  test.each<[PriFindingKind, Step[], number]>([
    [
      'orphan-record',
      [request(0, 1, 5), answer(1), { kind: 'read', index: 9, pages: [8], cookie: 1 }, { kind: 'write', cookie: 1 }],
      2,
    ],
    ['unwritten-response', [request(0, 1, 5), { kind: 'read', index: 1, pages: [5], cookie: 1 }, answer(1)], 1],
    ['orphan-write', [request(0, 1, 5), answer(1), { kind: 'write', cookie: 4 }], 2],
    ['refused-write', [request(0, 1, 5), answer(1), { kind: 'write', cookie: 4, ret: -22 }], 2],
    [
      'code-differs',
      [
        request(0, 1, 5),
        { kind: 'read', index: 1, pages: [5], cookie: 1 },
        answer(1),
        { kind: 'write', cookie: 1, code: 1 },
      ],
      2,
    ],
  ])('%s', (kind, steps, event) => {
    expect(history(steps).kinds).toEqual([[kind, event]]);
  });
});

describe('damage', () => {
  /** Groups of one to four requests, each answered behind one to three later ones; the index counts up and starts over. */
  const runs = fc
    .array(fc.record({ size: fc.integer({ min: 1, max: 4 }), later: fc.integer({ min: 0, max: 2 }) }), {
      minLength: 30,
      maxLength: 80,
    })
    .map((groups) => {
      const steps: { at: number; step: Step }[] = [];
      let seq = 0;
      groups.forEach(({ size, later }, i) => {
        const index = i % 16;
        for (let k = 0; k < size; k++) {
          steps.push({ at: i + k / 100, step: request(seq++, index, 1000 + seq, k === size - 1) });
        }
        steps.push({ at: i + later + 0.5, step: answer(index) });
      });
      // A request asks again only when it was answered: 16 indices, three groups at once at most.
      return steps.sort((a, b) => a.at - b.at).map(({ step }) => step);
    });

  function count(steps: readonly Step[]): Partial<Record<PriFindingKind, number>> {
    const counts: Partial<Record<PriFindingKind, number>> = {};
    for (const { kind, count: n } of history(steps).findings) counts[kind] = (counts[kind] ?? 0) + n;
    return counts;
  }

  /** Positions of some steps of a kind, apart from each other and from both ends. */
  function some(
    steps: readonly Step[],
    kind: Step['kind'],
    picks: readonly number[],
    accepts: (i: number) => boolean = () => true,
  ): number[] {
    const at = steps.flatMap((step, i) =>
      step.kind === kind && i > 8 && i < steps.length - 16 && accepts(i) ? [i] : [],
    );
    const chosen = new Set<number>();
    for (const pick of picks) {
      const i = at[pick % Math.max(1, at.length)];
      if (i !== undefined && [...chosen].every((other) => Math.abs(other - i) > 12)) chosen.add(i);
    }
    return [...chosen].sort((a, b) => b - a);
  }

  const picks = fc.array(fc.nat(), { minLength: 1, maxLength: 6 });
  function damaged(run: (steps: Step[], picks: number[]) => void): void {
    fc.assert(fc.property(runs, picks, run), { numRuns: 60 });
  }

  test('none is found where none is', () =>
    damaged((steps) => {
      expect(count(steps)).toEqual({});
    }));

  test('lost requests', () =>
    damaged((steps, wanted) => {
      const places = some(steps, 'request', wanted);
      for (const i of places) steps.splice(i, 1);
      expect(count(steps)['lost-requests']).toBe(places.length);
    }));

  test('duplicate requests', () =>
    damaged((steps, wanted) => {
      const places = some(steps, 'request', wanted);
      for (const i of places) steps.splice(i, 0, steps[i]!);
      expect(count(steps)).toEqual({ 'duplicate-request': places.length });
    }));

  test('requests out of order', () =>
    damaged((steps, wanted) => {
      const places = some(steps, 'request', wanted, (i) => steps[i + 1]?.kind === 'request');
      fc.pre(places.length > 0);
      for (const i of places) [steps[i], steps[i + 1]] = [steps[i + 1]!, steps[i]!];
      const found = history(steps);
      expect(count(steps)).toEqual({ 'reordered-request': places.length });
      expect(found.groups.every((group) => group.answer !== undefined && group.closed)).toBe(true);
    }));

  test('responses that are lost, or never came', () =>
    damaged((steps, wanted) => {
      const places = some(steps, 'answer', wanted);
      for (const i of places) steps.splice(i, 1);
      const { unanswered = 0, 'lost-response': lost = 0, ...others } = count(steps);
      expect([unanswered + lost, others]).toEqual([places.length, {}]);
      expect(history(steps).groups.filter((group) => group.answer === undefined)).toHaveLength(places.length);
    }));

  test('responses that come twice', () =>
    damaged((steps, wanted) => {
      const places = some(steps, 'answer', wanted);
      for (const i of places) steps.splice(i, 0, steps[i]!);
      const found = history(steps);
      expect(found.kinds.map(([kind]) => kind)).toEqual(places.map(() => 'duplicate-response'));
      expect(found.findings.map(({ event }) => event).sort((a, b) => b - a)).toEqual(
        places.map((i, k) => i + places.length - k),
      );
    }));

  test('responses to nothing', () =>
    damaged((steps, wanted) => {
      const places = some(steps, 'request', wanted);
      for (const i of places) steps.splice(i, 0, answer(400 + (i % 100)));
      expect(count(steps)).toEqual({ 'orphan-response': places.length });
    }));
});
