import type { Backend, DeviceTraits } from './backend.ts';
import type { Context } from './context.ts';
import type { HarvestListener } from './harvest-listener.ts';
import type { IntentListener } from './intents.ts';
import type { LockedPages } from './locked-memory.ts';
import type { Process } from './process.ts';
import type { QuirkName } from './quirks.ts';
import { SvaSpaces } from './sva.ts';
import { DeviceNode } from './vfio/device-node.ts';
import { UNKNOWN_HARDWARE } from './vfio/hardware.ts';
import type { RecordedHardware } from './vfio/hardware.ts';
import type { VaddrListener } from './vfio/vaddr-listener.ts';

/** What all contexts of a replay share. */
export class Machine {
  readonly backend: Backend;
  readonly processes = new Map<number, Process>();
  /** Processes' page tables that devices use. */
  readonly sva = new SvaSpaces();
  /** Quirks that are on. */
  readonly #quirks: ReadonlySet<QuirkName>;
  /** Those that the call at hand needed. */
  readonly #needed = new Set<QuirkName>();
  /** CONFIG_IOMMUFD_TEST: IOMMU_TEST_CMD and the flags that only it has. */
  readonly testKernel: boolean;
  /** CONFIG_VFIO_NOIOMMU, where it is known. */
  noIommuBuilt: boolean | undefined = undefined;
  /** VFIO devices by the path of their node. */
  readonly #nodes = new Map<string, DeviceNode>();
  /** VFIO groups that are open, by path: how often. Their devices can't be bound meanwhile. */
  readonly openGroups = new Map<string, number>();
  /** CONFIG_IOMMUFD_VFIO_CONTAINER: /dev/vfio/vfio is an iommufd. */
  containerIsIommufd = false;
  /** What VFIO devices are to the driver; undefined: what `hardware` says. */
  deviceTraits: DeviceTraits | undefined = undefined;
  /** What is known of the hardware behind VFIO devices. */
  hardware: RecordedHardware = UNKNOWN_HARDWARE;
  /** Users by uid, as processes were seen to become them. */
  readonly users = new Map<number, LockedPages>();
  /** RLIMIT_MEMLOCK in bytes of a process of which no limit was seen; undefined: not known. */
  memlock: number | undefined = undefined;
  /** Closed contexts of which a process still has a region mapped. */
  readonly mappedContexts = new Set<Context>();
  /** Told of what calls do to I/O page tables. */
  intents: IntentListener | undefined = undefined;
  /** Told of mappings without an address. */
  vaddrs: VaddrListener | undefined = undefined;
  /** Told what requests for dirty bitmaps find. */
  harvests: HarvestListener | undefined = undefined;

  constructor(backend: Backend, quirks: readonly QuirkName[] = [], testKernel = true) {
    this.backend = backend;
    this.#quirks = new Set(quirks);
    this.testKernel = testKernel;
  }

  /** Memory was unmapped: closed contexts that only a mapping held go. */
  unmapped(): void {
    for (const context of this.mappedContexts) {
      if (context.mapped) continue;
      this.mappedContexts.delete(context);
      context.end();
    }
  }

  deviceNode(path: string): DeviceNode {
    let node = this.#nodes.get(path);
    if (node === undefined) {
      node = new DeviceNode();
      this.#nodes.set(path, node);
    }
    return node;
  }

  user(uid: number): LockedPages {
    let user = this.users.get(uid);
    if (user === undefined) {
      user = { lockedPages: 0 };
      this.users.set(uid, user);
    }
    return user;
  }

  /** Whether the quirk is on. */
  quirk(name: QuirkName): boolean {
    return this.#quirks.has(name);
  }

  /** Notes that a call's result differs from the documented behaviour by this quirk. */
  needed(name: QuirkName): void {
    this.#needed.add(name);
  }

  /** Quirks that were needed since the last call of this. */
  takeNeeded(): QuirkName[] {
    if (this.#needed.size === 0) return [];
    const names = [...this.#needed];
    this.#needed.clear();
    return names;
  }
}
