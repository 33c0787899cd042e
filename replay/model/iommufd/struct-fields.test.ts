import { describe, expect, test } from 'vitest';
import { structField } from './struct-fields.ts';

function struct(op: number): Uint8Array {
  const bytes = new Uint8Array(72);
  bytes[4] = op;
  return bytes;
}

describe('names of fields', () => {
  test('the field at a byte: of the request, of the operation, unnamed', () => {
    expect(structField(0x3b85, new Uint8Array(40), 37)).toEqual({ name: 'iova', offset: 32, length: 8 });
    expect(structField(0x3ba0, struct(13), 57)).toEqual({ name: 'out_nr_dirty', offset: 56, length: 8 });
    expect(structField(0x3ba0, struct(2), 20)).toEqual({ name: 'out_hwpt_id', offset: 20, length: 4 });
    expect(structField(0x3b81, new Uint8Array(16), 14)).toEqual({ name: 'byte 12', offset: 12, length: 4 });
  });
});
