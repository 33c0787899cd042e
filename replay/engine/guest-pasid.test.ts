import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { CALL_EVENT, STREAM_ID } from '../../traces/schema.ts';
import { findPasids } from './guest-pasid.ts';
import { findHardware } from './recorded-hardware.ts';
import { testHeader } from '../../traces/testing/test-header.ts';

const DEVICE = '/dev/vfio/devices/vfio0';
const CONFIG_HIGH = 0x700;

function newTrace(): MemoryTrace {
  return new MemoryTrace(testHeader({ fidelity: { ioctl: 'full', call: 'full' } }));
}

function read(trace: MemoryTrace, at: number, data: Uint8Array): void {
  const row = trace.begin(STREAM_ID.call, 0, -1, 7);
  const { columns } = trace.rows.call;
  columns.event[row] = CALL_EVENT.syscall;
  columns.pid[row] = 7;
  columns.fd[row] = 4;
  columns.name[row] = trace.intern('pread64');
  columns.path[row] = trace.intern(DEVICE);
  columns.errno[row] = 0;
  columns.retLo[row] = data.length;
  columns.retHi[row] = 0;
  columns.a3Lo[row] = at;
  columns.a3Hi[row] = CONFIG_HIGH;
  trace.setBytes(columns.data, row, data);
}

function ioctl(trace: MemoryTrace, file: string, request: number, after: Uint8Array): void {
  const row = trace.begin(STREAM_ID.ioctl, 0, -1, 7);
  const { columns } = trace.rows.ioctl;
  columns.request[row] = request;
  columns.errno[row] = 0;
  columns.fd[row] = 4;
  columns.path[row] = trace.intern(file);
  trace.setBytes(columns.after, row, after);
}

/** BIND gave id 1; GET_HW_INFO of it these PASIDs. */
function askBits(trace: MemoryTrace, bits: number): void {
  ioctl(trace, DEVICE, 0x3b76, new Uint8Array(new Uint32Array([24, 0, 3, 1, 0, 0]).buffer));
  const info = new Uint8Array(40);
  info[8] = 1;
  info[28] = bits;
  ioctl(trace, '/dev/iommu', 0x3b8a, info);
}

function config(...capabilities: readonly (readonly [id: number, offset: number])[]): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x10d3_8086, true);
  for (const [i, [id, offset]] of capabilities.entries())
    view.setUint32(offset, (id | 0x1_0000 | ((capabilities[i + 1]?.[1] ?? 0) << 20)) >>> 0, true);
  return bytes;
}

describe('PASID as a guest finds it', () => {
  test('of a device that was not asked, or not read, nothing is known', () => {
    expect(findPasids(newTrace())).toEqual([]);
    const trace = newTrace();
    askBits(trace, 20);
    read(trace, 0, Uint8Array.of(0x86, 0x80, 0xd3, 0x10));
    expect(findPasids(trace)).toEqual([{ file: DEVICE, pci: '8086:10d3', bits: 20, guest: null, insertable: null }]);
    const none = newTrace();
    askBits(none, 0);
    expect(findPasids(none)).toMatchObject([{ bits: 0, guest: { kind: 'none' } }]);
  });

  test('hidden where config space does not show it; a VMM can insert it where the end is free', () => {
    const trace = newTrace();
    askBits(trace, 20);
    read(trace, 0, config([0x01, 0x100], [0x0f, 0x200]));
    expect(findPasids(trace)).toMatchObject([{ bits: 20, guest: { kind: 'hidden', bits: 20 }, insertable: 0xff8 }]);
    const full = newTrace();
    askBits(full, 20);
    read(full, 0, config([0x01, 0x100], [0x23, 0xfe0]));
    expect(findPasids(full)).toMatchObject([{ guest: { kind: 'hidden' }, insertable: null }]);
  });

  test('shown: the width is that of GET_HW_INFO, else of the capability', () => {
    const bytes = config([0x01, 0x100], [0x1b, 0x200]);
    bytes[0x205] = 16;
    const trace = newTrace();
    read(trace, 0, bytes);
    expect(findPasids(trace)).toMatchObject([{ bits: null, guest: { kind: 'own', bits: 16, offset: 0x200 } }]);
    ioctl(trace, '/dev/vfio/devices/vfio1', 0x3b76, new Uint8Array(24));
    expect(findHardware(trace)?.hardware.pasidBits).toBe(16);
    askBits(trace, 10);
    expect(findHardware(trace)?.hardware.pasidBits).toBe(10);
    expect(findPasids(trace)).toMatchObject([{ bits: 10, guest: { kind: 'own', bits: 10, offset: 0x200 } }]);
  });

  test('hostile config space: no endless list, never an offset that is taken', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4096, maxLength: 4096 }), fc.nat(20), (bytes, bits) => {
        const trace = newTrace();
        askBits(trace, bits);
        read(trace, 0, bytes);
        const [found] = findPasids(trace);
        expect(found?.bits).toBe(bits);
        if (bits === 0) expect(found?.guest?.kind).toBe('none');
        expect([null, 0xff8]).toContain(found?.insertable ?? null);
      }),
      { numRuns: 50 },
    );
  });
});
