import type { QuirkName } from '../../quirks.ts';
import { BUFFER, SimulatedCalls } from '../../simulated-calls.ts';
import type { SimulatedResult } from '../../simulated-calls.ts';
import { StructView } from '../../struct-view.ts';
import { mockBackend } from '../mock-backend.ts';

const MOCK = 0xdead_beef;
const NESTED_DATA = 0xdead;
/** Where driver data, entries and events go. */
export const DATA = BUFFER + 0x80_0000;

/** Ids that MOCK_DOMAIN_FLAGS gives out. */
export interface MockDeviceIds {
  readonly object: number;
  readonly hwpt: number;
  readonly id: number;
}

/** A process that drives the mock driver by name. For tests. */
export class MockCalls extends SimulatedCalls {
  constructor(quirks: readonly QuirkName[] = []) {
    super(mockBackend, quirks);
  }

  put(address: number, ...words: readonly number[]): void {
    const view = new StructView(new Uint8Array(words.length * 4));
    for (const [i, word] of words.entries()) view.setU32(i * 4, word);
    this.process.memory.remember(address, view.bytes);
  }

  words(address: number, count: number): number[] {
    const view = new StructView(this.process.memory.recall(address, count * 4) ?? new Uint8Array(count * 4));
    return Array.from({ length: count }, (_, i) => view.u32(i * 4));
  }

  ioas(): number {
    return this.call(0x3b81, 0, 0).struct.u32(8);
  }

  /** `flags`: 1 no dirty tracking, 4 PASIDs. */
  device(pt: number, flags = 0): MockDeviceIds {
    const { ret, struct } = this.mock(12, pt, 0, 0, 0, flags);
    if (ret !== 0) throw new Error(`MOCK_DOMAIN_FLAGS gave ${ret}`);
    return { object: struct.u32(16), hwpt: struct.u32(20), id: struct.u32(24) };
  }

  /** HWPT_ALLOC without driver data. */
  paging(device: number, pt: number, flags: number, fault = 0): SimulatedResult {
    return this.call(0x3b89, flags, device, pt, 0, 0, 0, 0, 0, 0, fault, 0);
  }

  /** HWPT_ALLOC with the mock's data: the word that fills its IOTLB. */
  nested(device: number, pt: number, flags = 0, fault = 0): SimulatedResult {
    this.put(DATA, 0xbad_beef, 0);
    return this.call(0x3b89, flags, device, pt, 0, 0, NESTED_DATA, 8, DATA, 0, fault, 0);
  }

  viommu(device: number, parent: number, type = MOCK, length = 0): SimulatedResult {
    return this.call(0x3b90, 0, type, device, parent, 0, length, 0, length === 0 ? 0 : DATA, 0);
  }

  vdevice(viommu: number, device: number, virtualId: number): SimulatedResult {
    return this.call(0x3b91, viommu, device, 0, virtualId, 0);
  }

  /** HWPT_INVALIDATE of entries at `DATA`: result and entry_num afterwards. */
  invalidate(id: number, length: number, count: number, type = MOCK, address = DATA): readonly [number, number] {
    const { ret, struct } = this.call(0x3b8d, id, address, 0, type, length, count, 0);
    return [ret, struct.u32(24)];
  }

  replace(object: number, pt: number): number {
    return this.mock(10, object, pt).ret;
  }

  destroy(id: number): number {
    return this.call(0x3b80, id).ret;
  }

  read(fd: number, count: number): Uint8Array | number {
    return this.process.fds.get(fd)?.read?.(count, undefined) ?? -1;
  }
}
