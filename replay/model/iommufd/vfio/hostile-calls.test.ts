import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openIommufd } from '../iommufd-file.ts';
import { Machine } from '../machine.ts';
import { ARGUMENT, putStruct, simulatedProcess } from '../testing/simulated-process.ts';
import { Unjudged } from '../unjudged.ts';
import { VfioContainer } from './container.ts';
import { VfioDevice } from './device.ts';
import { VfioGroup } from './group.ts';
import { UNKNOWN_HARDWARE, rangesOfInfo, recordedBackend } from './hardware.ts';
import type { VfioFile } from './vfio-file.ts';

const HARDWARE = {
  ...UNKNOWN_HARDWARE,
  usable: [{ start: 0n, last: 0xffff_ffff_ffffn }],
  pageSizes: 0x4020_1000n,
  pasidBits: 8,
};

/** Small numbers, file numbers, page-aligned addresses, anything. */
const word = fc.oneof(
  fc.integer({ min: 0, max: 64 }),
  fc.constantFrom(0x1000, 0x2000, 0x10_0000, 0x20_0000, 0xffff_f000, 0xffff_ffff),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);
const call = fc.record({
  file: fc.integer({ min: 0, max: 3 }),
  request: fc.integer({ min: 0x3b63, max: 0x3b7a }),
  byValue: fc.boolean(),
  words: fc.array(word, { minLength: 1, maxLength: 14 }),
});

function run(file: VfioFile, ask: () => number): number | undefined {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof Unjudged)) throw error;
    expect(file.refs).toBeGreaterThan(0);
    return undefined;
  }
}

test('no call of any shape does more than fail', () => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
      const machine = new Machine(recordedBackend(HARDWARE));
      machine.hardware = HARDWARE;
      const process = simulatedProcess(machine);
      const iommufd = openIommufd(machine);
      process.installAt(3, iommufd);
      const files = [new VfioContainer(), new VfioGroup(), new VfioGroup(), new VfioDevice()];
      for (const [i, file] of files.entries()) process.installAt(4 + i, file);
      for (const { file: which, request, byValue, words } of calls) {
        const file = files[which] as VfioFile;
        putStruct(process, ...words);
        const argument = byValue ? BigInt(words[0] ?? 0) : ARGUMENT;
        const ret = run(file, () => file.ioctl({ machine, process, request, argument }));
        if (ret !== undefined) expect(Number.isInteger(ret) && ret > -4096).toBe(true);
      }
      process.closeAll();
      expect([iommufd.refs, iommufd.context.refs]).toEqual([0, 0]);
      expect([...iommufd.context.objects.values()]).toEqual([]);
      for (const file of files) expect(file.refs).toBe(0);
    }),
    { numRuns: 150 },
  );
});

test('capabilities that lead nowhere or in a circle are none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 96 }), (bytes) => {
      const ranges = rangesOfInfo(bytes) ?? [];
      expect(ranges.length * 16).toBeLessThanOrEqual(bytes.length);
    }),
  );
  const circle = new Uint8Array(48);
  circle[16] = 24;
  circle[24] = 9;
  circle[28] = 24;
  expect(rangesOfInfo(circle)).toBeUndefined();
});
