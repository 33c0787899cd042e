import type { System } from '../system.ts';
import { Btf } from './btf.ts';
import type { BtfParameter } from './btf.ts';

const FOLDER = '/sys/kernel/btf';

/** The kernel's functions and structs, of its core and of those modules that are asked for. Files are read when they are needed. */
export class KernelFunctions {
  readonly #system: System;
  readonly #parts = new Map<string, Btf | undefined>();
  #symbols: ReadonlySet<string> | undefined;

  constructor(system: System) {
    this.#system = system;
  }

  /** Whether functions can be probed at all: CONFIG_KPROBES. */
  get probes(): boolean {
    return this.#system.access('/sys/bus/event_source/devices/kprobe/type') !== 'absent';
  }

  /** Whether the kernel describes itself: CONFIG_DEBUG_INFO_BTF. */
  get described(): boolean {
    return this.#part('vmlinux') !== undefined;
  }

  /**
   * Parameters of a function of the core or of one of these modules, where it exists under that very name: one that the compiler
   * took apart (`NAME.isra.0`) or inlined has another, or none.
   */
  parameters(name: string, modules: readonly string[]): readonly BtfParameter[] | undefined {
    if (!this.#hasSymbol(name)) return undefined;
    for (const part of ['vmlinux', ...modules]) {
      const found = this.#part(part)?.parameters(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  offset(modules: readonly string[], struct: string, ...path: readonly string[]): number | undefined {
    for (const part of [...modules, 'vmlinux']) {
      const found = this.#part(part)?.offset(struct, ...path);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #part(name: string): Btf | undefined {
    if (this.#parts.has(name)) return this.#parts.get(name);
    const base = name === 'vmlinux' ? undefined : this.#part('vmlinux');
    const bytes = this.#system.bytes(`${FOLDER}/${name}`);
    const btf = bytes === undefined ? undefined : Btf.parse(bytes, base);
    this.#parts.set(name, btf);
    return btf;
  }

  /** ffffffff81d41730 T iommu_map_nosync	[module] */
  #hasSymbol(name: string): boolean {
    this.#symbols ??= new Set(
      (this.#system.read('/proc/kallsyms') ?? '')
        .split('\n')
        .flatMap((line) => /^\S+ [tT] (\S+)/.exec(line)?.[1] ?? []),
    );
    return this.#symbols.size === 0 || this.#symbols.has(name);
  }
}
