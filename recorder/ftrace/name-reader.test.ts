import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Health } from '../../traces/health.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { EventOutput } from './event-output.ts';
import { FieldReader } from './event-record.ts';
import type { EventRecord } from './event-record.ts';
import { NO_NAME } from './name-reader.ts';

const FORMAT = {
  system: 'test',
  name: 'named',
  id: 7,
  common: [],
  fields: [{ name: 'who', type: 'char', shape: 'dataLoc', offset: 8, size: 4, elementSize: 1, signed: true }],
  printFormat: '',
} as const;

/** A record whose only field names `bytes`, NULs behind them included; `length` may say something else. */
function record(bytes: Uint8Array, length = bytes.length): EventRecord {
  const all = new Uint8Array((8 + 12 + bytes.length + 3) & ~3);
  const view = new DataView(all.buffer);
  view.setUint32(16, (length << 16) | 12, true);
  all.set(bytes, 20);
  // it stands 8 bytes into what was read
  return { words: new Int32Array(all.buffer), bytes: all, at: 8, length: 12 + bytes.length };
}

const output = (): EventOutput => new EventOutput(new MemoryTrace(testHeader()), new Health(), 't', 0);

const names = fc.array(
  fc.oneof(
    fc.constantFrom(
      'dmar0',
      'dmar1',
      '0000:00:04.0',
      '0000:00:14.0',
      '0000:10:04.0',
      'dmar0dmar0',
      '',
      'a',
      'abc',
      'abcd',
    ),
    fc.stringMatching(/^[ab]{0,60}$/),
  ),
  { maxLength: 60 },
);

test('a name that was seen before has the number that a look at all its bytes gives', () => {
  fc.assert(
    fc.property(names, fc.nat(5), (list, nuls) => {
      const read = new FieldReader(FORMAT, true).ref('who');
      for (const out of [output(), output()]) {
        const plain = output();
        for (const name of list) {
          const bytes = Buffer.from(name + '\0'.repeat(nuls), 'latin1');
          expect(read.read(record(bytes), out)).toBe(plain.ref(bytes, 0, name.length));
        }
      }
    }),
    { numRuns: 200, seed: 31 },
  );
});

test('a name that does not lie inside its record is no name, also where the same was read before', () => {
  const read = new FieldReader(FORMAT, true).device('who');
  const out = output();
  const bytes = Buffer.from('0000:00:04.0\0', 'latin1');
  expect(read.read(record(bytes), out)).toBe(0x20);
  expect(read.read(record(bytes, bytes.length + 1), out)).toBe(NO_NAME);
  expect(read.read(record(bytes), out)).toBe(0x20);
});
