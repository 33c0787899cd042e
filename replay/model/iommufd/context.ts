import type { Backend } from './backend.ts';
import type { Ioas } from './ioas.ts';
import { ObjectTable } from './objects.ts';
import type { IommufdObject } from './objects.ts';
import { MmapRegions } from './mmap-regions.ts';
import type { Machine } from './machine.ts';

/**
 * A model of Linux IOMMUFD (drivers/iommu/iommufd, 7.2), call by call. Pure: no clock, no file, no random number; the same calls
 * in the same order give the same results.
 *
 * - `Machine` is what all contexts share: processes, physical pages with their pin counts, the back-end.
 * - `Context` is one open /dev/iommu: ids (`ObjectTable`), options, the compat IOAS.
 * - `ioctl.ts` copies a struct in by the dispatcher's rules, finds the handler by request number and copies the struct back.
 *   A family of calls is a file that exports `readonly IoctlSpec[]`; `families.ts` lists the families. The mock driver's
 *   IOMMU_TEST_CMD has a table of its own by `op` (`mock/mock-ops.ts`).
 * - A handler reads `call.struct`, changes objects, writes `call.struct` and returns `call.respond(undo)`, or a negative errno.
 *   It does its checks in the order in which the kernel does: the first that fails decides.
 * - User memory is `call.process.memory` (`AddressSpace`): `read` gives bytes or undefined for EFAULT, `write` says whether it
 *   could, `pin` resolves a range to physical pages. Where only unrecorded memory decides, they throw `Unjudged`.
 * - An object with an id implements `IommufdObject`; `objects.add` gives it the lowest free id. Its `destroy` gives back what it
 *   took from others. `ObjectTypes` says what a look-up by type yields; what one part needs of another's objects is in
 *   `parts.ts`, so that parts don't import each other.
 * - New fds: `process.install(file)` with an `OpenFile` that has `read`/`write`/`release`.
 * - Hardware answers come from the `Backend` only.
 * - Known defects of kernels are rules of `quirks.ts`: `context.machine.quirk('name')` says whether one applies, and counts it.
 */
export class Context {
  readonly machine: Machine;
  readonly objects = new ObjectTable();
  /** Accounting per process (1) or per user (0): OPTION RLIMIT_MODE. */
  accountPerProcess: boolean;
  /** The IOAS that the VFIO compat calls use. */
  compatIoas: Ioas | undefined = undefined;
  /** Drivers' memory that user space may map through the context's fd. */
  readonly mmapRegions = new MmapRegions();
  /** VFIO_NOIOMMU container: no IOAS behind the compat calls. */
  noIommu = false;
  /** Opened before the recording began: it may hold objects that nobody saw made. */
  partial = false;
  /** What keeps the context alive besides mappings: its open file, event fds. */
  refs = 0;

  constructor(machine: Machine, accountPerProcess = false) {
    this.machine = machine;
    this.accountPerProcess = accountPerProcess;
  }

  get backend(): Backend {
    return this.machine.backend;
  }

  hold(): void {
    this.refs++;
  }

  /** At the last reference everything goes; a live mapping of one of its regions holds the file, too (vma->vm_file). */
  release(): void {
    this.refs--;
    if (this.refs > 0) return;
    if (this.mapped) this.machine.mappedContexts.add(this);
    else this.end();
  }

  /** Whether a process has a region of it mapped. */
  get mapped(): boolean {
    if (this.mmapRegions.size === 0) return false;
    for (const { memory } of this.machine.processes.values())
      if (memory.vmas.some(({ backing }) => this.mmapRegions.has(backing))) return true;
    return false;
  }

  /** Objects go leaves first, each pass in ascending order of ids (iommufd_fops_release). */
  end(): void {
    for (;;) {
      const leaves: IommufdObject[] = [...this.objects.values()].filter((object) => object.users === 1);
      if (leaves.length === 0) return;
      for (const object of leaves) if (object.users === 1) this.objects.remove(object);
    }
  }
}
