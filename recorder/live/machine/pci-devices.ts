import type { System } from '../system.ts';
import { parsePciCapabilities } from './pci-capabilities.ts';
import type { PciCapabilities } from './pci-capabilities.ts';

export interface PciDevice {
  /** `0000:00:04.0`. */
  readonly address: string;
  /** `8086:10d3`. */
  readonly id: string;
  /** Class code, `0x020000`. */
  readonly class: string;
  readonly driver: string | null;
  /** Number of its IOMMU group; null where it is behind no IOMMU. */
  readonly group: number | null;
  /** Its IOMMU's name in sysfs. */
  readonly unit: string | null;
  /** Bytes of config space that could be read: 64 without privilege. */
  readonly configBytes: number;
  /** Null where the extended config space could not be read: then nothing is known of ATS, PRI, PASID and SR-IOV. */
  readonly capabilities: PciCapabilities | null;
  /** The physical function of a virtual one. */
  readonly physicalFunction: string | null;
}

const FOLDER = '/sys/bus/pci/devices';
/** More than a large server has. */
const MAX_DEVICES = 4096;

function word(text: string | undefined): string {
  return (text ?? '').trim().replace(/^0x/, '');
}

function readDevice(system: System, address: string): PciDevice {
  const folder = `${FOLDER}/${address}`;
  const config = system.bytes(`${folder}/config`);
  const group = system.link(`${folder}/iommu_group`);
  return {
    address,
    id: `${word(system.read(`${folder}/vendor`))}:${word(system.read(`${folder}/device`))}`,
    class: `0x${word(system.read(`${folder}/class`))}`,
    driver: system.link(`${folder}/driver`) ?? null,
    group: group !== undefined && /^\d{1,9}$/.test(group) ? Number(group) : null,
    unit: system.link(`${folder}/iommu`) ?? null,
    configBytes: config?.length ?? 0,
    capabilities: (config === undefined ? undefined : parsePciCapabilities(config)) ?? null,
    physicalFunction: system.link(`${folder}/physfn`) ?? null,
  };
}

export function readPciDevices(system: System): readonly PciDevice[] {
  const addresses = system.list(FOLDER).slice(0, MAX_DEVICES);
  return addresses.map((address) => readDevice(system, address));
}
