import type { Backend } from './backend.ts';
import type { Process } from './process.ts';
import type { QuirkName } from './quirks.ts';
import { UNKNOWN_HARDWARE } from './vfio/hardware.ts';
import type { RecordedHardware } from './vfio/hardware.ts';

/** What all contexts of a replay share. */
export class Machine {
  readonly backend: Backend;
  readonly processes = new Map<number, Process>();
  /** Quirks that are on, with how often a call needed each. */
  readonly #quirks: Map<QuirkName, number>;
  /** CONFIG_IOMMUFD_TEST: IOMMU_TEST_CMD and the flags that only it has. */
  readonly testKernel: boolean;
  /** CONFIG_VFIO_NOIOMMU, where it is known. */
  noIommuBuilt: boolean | undefined = undefined;
  /** What is known of the hardware behind VFIO devices. */
  hardware: RecordedHardware = UNKNOWN_HARDWARE;

  constructor(backend: Backend, quirks: readonly QuirkName[] = [], testKernel = true) {
    this.backend = backend;
    this.#quirks = new Map(quirks.map((name) => [name, 0]));
    this.testKernel = testKernel;
  }

  /** Whether the quirk is on. */
  quirk(name: QuirkName): boolean {
    return this.#quirks.has(name);
  }

  /** Counts that a call's result differs from the documented behaviour by this quirk. */
  needed(name: QuirkName): void {
    this.#quirks.set(name, (this.#quirks.get(name) ?? 0) + 1);
  }

  /** Quirks that calls needed, with counts. */
  get quirksNeeded(): ReadonlyMap<QuirkName, number> {
    return new Map([...this.#quirks].filter(([, count]) => count > 0));
  }
}
