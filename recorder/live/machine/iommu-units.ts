import type { System } from '../system.ts';

export interface IommuUnit {
  /** Its name in sysfs: `dmar0`, `ivhd0`, `smmu3.0x0000000009050000`. */
  readonly name: string;
  /** `vtd`, `amd`, `smmuv3`, `virtio`, `riscv`; null where its name says nothing. */
  readonly kind: string | null;
  /**
   * Registers and limits that sysfs shows, by their names there, as it prints them: `cap`, `ecap`, `version`, `address`,
   * `domains_supported` of VT-d (drivers/iommu/intel/iommu.c), `cap`, `features` of AMD (drivers/iommu/amd/init.c).
   */
  readonly registers: { readonly [name: string]: string };
  readonly devices: number;
}

const FOLDER = '/sys/class/iommu';
const MAX_UNITS = 256;
/** By how the drivers name their units. */
const KINDS: readonly { readonly name: RegExp; readonly kind: string; readonly attributes: string }[] = [
  { name: /^dmar\d/, kind: 'vtd', attributes: 'intel-iommu' },
  { name: /^ivhd\d/, kind: 'amd', attributes: 'amd-iommu' },
  { name: /^smmu3\./, kind: 'smmuv3', attributes: '' },
  { name: /^virtio\d/, kind: 'virtio', attributes: '' },
  { name: /^riscv-iommu/, kind: 'riscv', attributes: '' },
];

export function readIommuUnits(system: System): readonly IommuUnit[] {
  const names = system.list(FOLDER).slice(0, MAX_UNITS);
  return names.map((name) => {
    const known = KINDS.find((one) => one.name.test(name));
    const registers: Record<string, string> = {};
    if (known !== undefined && known.attributes !== '') {
      const folder = `${FOLDER}/${name}/${known.attributes}`;
      for (const attribute of system.list(folder)) {
        const value = system.read(`${folder}/${attribute}`)?.trim();
        if (value !== undefined && value.length <= 64) registers[attribute] = value;
      }
    }
    return { name, kind: known?.kind ?? null, registers, devices: system.list(`${FOLDER}/${name}/devices`).length };
  });
}
