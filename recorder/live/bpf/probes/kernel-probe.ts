import type { Fidelity } from '../../../../traces/header.ts';
import type { StreamName } from '../../../../traces/schema.ts';
import type { EventSink } from '../../../../traces/trace.ts';
import type { Words } from '../../../import/calls/words.ts';
import type { KernelFunctions } from '../../btf/kernel-functions.ts';
import type { DomainNumbers } from './domain-numbers.ts';

/** Where a probe's row goes. */
export interface ProbeRow {
  readonly sink: EventSink;
  readonly source: number;
  readonly time: number;
  readonly cpu: number;
  readonly task: number;
  readonly domains: DomainNumbers;
}

/** A line of a probe's: `TAG NSECS TID CPU`, then words. */
export interface ProbeLine {
  readonly tag: string;
  readonly words: number;
  write(row: ProbeRow, words: readonly Words[]): void;
}

/** The part of bpftrace's program that probes some functions, or the reason why it can't. */
export type ProbePlan =
  | { readonly program: string; readonly functions: readonly string[] }
  | { readonly lacking: string };

/** Kernel functions that carry what tracepoints lack. One file each; `kernel-probes.ts` has them all. */
export interface KernelProbe {
  readonly name: string;
  /** What it adds, for people. */
  readonly sees: string;
  readonly streams: { readonly [S in StreamName]?: Fidelity };
  readonly lines: readonly ProbeLine[];
  /** Looks whether this kernel has the functions, with the parameters and structs that the program relies on. */
  plan(kernel: KernelFunctions): ProbePlan;
}

/** Reads so many words of the kernel's memory, from an address in bpftrace's language on. */
export function wordsFrom(pointer: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `*(uint64*)kptr(${pointer} + ${i * 8})`).join(', ');
}

/** Format of so many words. */
export function wordFormat(count: number): string {
  return ' %llx'.repeat(count);
}

/** The one of several functions that the kernel has, with the place of each parameter that is needed. */
export function findFunction(
  kernel: KernelFunctions,
  modules: readonly string[],
  names: readonly string[],
  needed: { readonly [parameter: string]: string },
): { readonly name: string; readonly at: { readonly [parameter: string]: number } } | { readonly lacking: string } {
  for (const name of names) {
    const parameters = kernel.parameters(name, modules);
    if (parameters === undefined) continue;
    const at: { [parameter: string]: number } = {};
    for (const [parameter, type] of Object.entries(needed)) {
      const place = parameters.findIndex((one) => one.name === parameter && one.type === type);
      // Later ones are on the stack, where probes don't look.
      if (place < 0 || place > 5) return { lacking: `${name} has no parameter "${type} ${parameter}"` };
      at[parameter] = place;
    }
    return { name, at };
  }
  return { lacking: `no function ${names.join(', ')}` };
}
