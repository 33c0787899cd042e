import { mockBackend } from '../../replay/model/iommufd/mock/mock-backend.ts';
import { BUFFER, SimulatedCalls } from '../../replay/model/iommufd/simulated-calls.ts';
import type { BenchCase, BenchSuite } from '../suite.ts';

const IOAS_ALLOC = 0x3b81;
const MAP = 0x3b85;
const UNMAP = 0x3b86;
const PAGE = 4096;
const FIRST = 0x100_0000;
const ROUNDS = 16_384;

/** Places 0..2^20-1 in an order in which neighbours in time are not neighbours in the address space. */
function scattered(index: number): number {
  return (Math.imul(index, 0x9e37_79b1) >>> 0) % 1_048_576;
}

function words(address: number): readonly [number, number] {
  return [address % 2 ** 32, Math.floor(address / 2 ** 32)];
}

/** A process with an IOAS of `areas` areas of a page, a page between each two. */
function filled(areas: number): { readonly calls: SimulatedCalls; readonly ioas: number } {
  const calls = new SimulatedCalls(mockBackend);
  const ioas = calls.call(IOAS_ALLOC, 0, 0).struct.u32(8);
  for (let i = 0; i < areas; i++) calls.call(MAP, 7, ioas, 0, BUFFER, 0, PAGE, 0, ...words(FIRST + i * 2 * PAGE));
  return { calls, ioas };
}

function among(areas: number): BenchCase {
  const { calls, ioas } = filled(areas);
  return {
    name: `map and unmap among ${areas} areas`,
    amount: 2 * ROUNDS,
    unit: 'ioctls',
    run() {
      let failed = 0;
      for (let i = 0; i < ROUNDS; i++) {
        const iova = words(FIRST + PAGE + scattered(i) * 2 * PAGE);
        failed -= calls.call(MAP, 7, ioas, 0, BUFFER, 0, PAGE, 0, ...iova).ret;
        failed -= calls.call(UNMAP, ioas, ...iova, PAGE, 0).ret;
      }
      return failed;
    },
  };
}

/** Calls made by code, so that only the model is measured. */
export const ioctls: BenchSuite = {
  name: 'ioctls',
  summary: 'ioctls through the model of IOMMUFD, in a small and in a large address space',
  prepare: () => [among(1000), among(1_000_000)],
};
