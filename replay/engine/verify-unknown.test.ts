import { expect, test } from 'vitest';
import { RecordedCalls } from './testing/recorded-calls.ts';
import { verifyTrace } from './verify.ts';

const ENOTTY = 25;
const EOPNOTSUPP = 95;

test('requests without a name are one part, counted by number', () => {
  const calls = new RecordedCalls().open().ioctl({ request: 0x3b81, before: [12, 0, 0], after: [12, 0, 1] });
  for (const request of [0x3bf0, 0x3bf1, 0x3bf1]) calls.ioctl({ request, errno: ENOTTY, before: [8, 0] });
  calls.ioctl({ request: 0x3ba0, errno: EOPNOTSUPP, before: [72, 99, ...new Array<number>(16).fill(0)] });
  const result = verifyTrace(calls.trace);
  expect(result.byPart).toEqual({
    'ioctl.IOMMU_IOAS_ALLOC': { checked: 1, agreed: 1, diverged: 0 },
    'ioctl.unknown requests': { checked: 4, agreed: 4, diverged: 0 },
  });
  expect(result.unknownRequests).toEqual({ '0x3bf0': 1, '0x3bf1': 2, 'IOMMU_TEST_CMD 99': 1 });
});

test('however many numbers there are, a thousand are told apart', () => {
  const calls = new RecordedCalls().open();
  for (let i = 0; i < 1100; i++)
    calls.ioctl({ request: 0x4000_0000 + i * 0x100 + 0xf0, errno: ENOTTY, before: [8, 0] });
  const { unknownRequests = {}, byPart } = verifyTrace(calls.trace);
  expect(Object.keys(unknownRequests)).toHaveLength(1001);
  expect(unknownRequests['(others)']).toBe(100);
  expect(byPart).toEqual({ 'ioctl.unknown requests': { checked: 1100, agreed: 1100, diverged: 0 } });
});

test('a recording without unknown requests says nothing of them', () => {
  const calls = new RecordedCalls().open().ioctl({ request: 0x3b81, before: [12, 0, 0], after: [12, 0, 1] });
  expect(verifyTrace(calls.trace)).not.toHaveProperty('unknownRequests');
});

test('what to record is said by kind', () => {
  const none = new RecordedCalls().open();
  expect(() => verifyTrace(none.trace, { only: ['ioctl'] })).toThrow(
    expect.objectContaining({
      code: 'NOTHING_TO_VERIFY',
      hint: 'record the calls with the bytes of their structs (docs/sources/ioctl-ndjson.md): iorr import calls.jsonl -o run.iorr',
    }),
  );
  expect(() => verifyTrace(none.trace, { only: ['dma'] })).toThrow(
    expect.objectContaining({ hint: "translations are in an emulator's log only: iorr import qemu.log -o run.iorr" }),
  );
  expect(() => verifyTrace(none.trace)).toThrow(
    expect.objectContaining({
      hint: 'import the logs of both sides of a run together: iorr import trace.txt qemu.log -o run.iorr',
    }),
  );
  const unjudged = new RecordedCalls().call('openat', { path: 'file', fd: -1, ret: 3 });
  unjudged.ioctl({ request: 0x3b81, errno: 0, before: [] });
  expect(() => verifyTrace(unjudged.trace)).toThrow(expect.objectContaining({ code: 'NOTHING_TO_VERIFY' }));
});
