import type { Random } from '../../../traces/random.ts';
import type { PageNumber } from '../../../traces/units.ts';
import type { IovaAllocator } from '../iova-allocator.ts';
import { permutation } from '../zipf-sampler.ts';

/**
 * Brings an allocator into the state of a system that has run for long: pages were handed out in order, and came back in another,
 * on any CPU. `run` pages in a row stayed together. The same random numbers give the same state.
 */
export function ageAddresses(
  allocator: IovaAllocator,
  random: Random,
  { pages, run, cpus }: { readonly pages: number; readonly run: number; readonly cpus: number },
): void {
  const runs: PageNumber[][] = [];
  for (let done = 0, cpu = 0; done < pages; done += run, cpu = (cpu + 1) % cpus) {
    runs.push(Array.from({ length: Math.min(run, pages - done) }, () => allocator.allocate(cpu, 1)));
  }
  for (const i of permutation(runs.length, random)) {
    const cpu = random.below(cpus);
    for (const page of runs[i] ?? []) allocator.release(cpu, page, 1);
  }
}
