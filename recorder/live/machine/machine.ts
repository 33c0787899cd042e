import type { TraceHost } from '../../../traces/header.ts';
import type { System } from '../system.ts';
import { readIommuGroups } from './iommu-groups.ts';
import type { IommuGroup } from './iommu-groups.ts';
import { readIommuUnits } from './iommu-units.ts';
import type { IommuUnit } from './iommu-units.ts';
import { readPciDevices } from './pci-devices.ts';
import type { PciDevice } from './pci-devices.ts';

/** What decides how a machine's IOMMU stack behaves; goes into the header of every recording made on it. */
export interface Machine {
  readonly kernel: string;
  readonly architecture: string;
  /** The model that /proc/cpuinfo names. */
  readonly cpu: string | null;
  readonly cpus: number;
  readonly pageSize: number | null;
  /** Words of the kernel's command line that set up IOMMUs and VFIO; no others. */
  readonly parameters: readonly string[];
  /** The CPU says that a hypervisor is below. */
  readonly virtual: boolean;
  readonly units: readonly IommuUnit[];
  readonly groups: readonly IommuGroup[];
  readonly devices: readonly PciDevice[];
  /** What the kernel's log tells of IOMMUs; null where it may not be read. */
  readonly kernelLog: readonly string[] | null;
}

const PARAMETER = /^(?:(?:intel_|amd_)?iommu(?:[=.]|$)|arm-smmu|vfio|iommufd|pci=.*(?:ats|pasid)|swiotlb)/;

// model name	: AMD EPYC 7B13                 CPU implementer	: 0x41 (arm64 has no name)
const CPU_MODEL = /^(?:model name|Model|uarch|CPU implementer)\s*:\s*(.+)$/m;

/** AT_PAGESZ of the auxiliary vector (include/uapi/linux/auxvec.h). */
const AT_PAGESZ = 6n;

function readPageSize(auxiliary: Uint8Array | undefined): number | null {
  if (auxiliary === undefined) return null;
  const view = new DataView(auxiliary.buffer, auxiliary.byteOffset, auxiliary.length);
  for (let at = 0; at + 16 <= auxiliary.length; at += 16) {
    if (view.getBigUint64(at, true) === AT_PAGESZ) return Number(view.getBigUint64(at + 8, true));
  }
  return null;
}

export function readMachine(system: System): Machine {
  const cpuinfo = system.read('/proc/cpuinfo') ?? '';
  const words = (system.read('/proc/cmdline') ?? '').trim().split(/\s+/);
  return {
    kernel: system.kernel,
    architecture: system.architecture,
    cpu: CPU_MODEL.exec(cpuinfo)?.[1]?.trim() ?? null,
    cpus: system.cpus,
    pageSize: readPageSize(system.bytes('/proc/self/auxv')),
    parameters: words.filter((word) => PARAMETER.test(word)),
    virtual: /^flags\s*:.*\bhypervisor\b/m.test(cpuinfo),
    units: readIommuUnits(system),
    groups: readIommuGroups(system),
    devices: readPciDevices(system),
    kernelLog: system.kernelLog() ?? null,
  };
}

// Max locked memory         8388608              8388608              bytes
const MEMLOCK = /^Max locked memory\s+(\d+|unlimited)\s/m;

/** What of it the header's `host` has names for. `limits` is the text of /proc/PID/limits of what is recorded. */
export function hostOf(machine: Machine, limits: string | undefined): TraceHost {
  const memlock = MEMLOCK.exec(limits ?? '')?.[1];
  const kinds = new Set(machine.units.map(({ kind }) => kind));
  const [kind] = kinds;
  return {
    kernel: machine.kernel,
    cpus: machine.cpus,
    ...(machine.pageSize === null ? {} : { pageSize: machine.pageSize }),
    ...(memlock === undefined || memlock === 'unlimited' ? {} : { memlock: Number(memlock) }),
    ...(kinds.size === 1 && typeof kind === 'string' ? { iommu: kind } : {}),
    // What a virtual machine has for an IOMMU is made by software.
    ...(machine.virtual && machine.units.length > 0 ? { emulated: true } : {}),
  };
}
