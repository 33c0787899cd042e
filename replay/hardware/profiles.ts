import { IorrError } from '../../traces/errors.ts';
import type { TraceHeader } from '../../traces/header.ts';
import type { ProfileParameter } from '../results.ts';
import { nearest } from '../../traces/nearest.ts';
import type { HardwareProfile } from './profile.ts';
import { amdGeneric } from './amd-generic.ts';
import { armSmmuv3Generic } from './arm-smmuv3-generic.ts';
import { intelBroadwell } from './intel-broadwell.ts';
import { intelCascadeLake } from './intel-cascade-lake.ts';
import { qemuAmd } from './qemu-amd.ts';
import { qemuSmmuv3 } from './qemu-smmuv3.ts';
import { qemuVirtio } from './qemu-virtio.ts';
import { qemuVtd, qemuVtd72 } from './qemu-vtd.ts';
import { riscvGeneric } from './riscv-generic.ts';
import { vtdServer } from './vtd-server.ts';

/** Every hardware profile, by the name that `--hardware` takes. */
export const HARDWARE: readonly HardwareProfile[] = [
  qemuVtd,
  qemuVtd72,
  qemuSmmuv3,
  qemuAmd,
  qemuVirtio,
  vtdServer,
  intelBroadwell,
  intelCascadeLake,
  armSmmuv3Generic,
  amdGeneric,
  riscvGeneric,
];

/** Ranges of parameters that `--set` may change; what is not listed takes any non-negative integer below 2^31. */
const RANGES: { readonly [name: string]: readonly [number, number] } = {
  'iotlb.capacity': [1, 1 << 22],
  'iotlb.sets': [1, 1 << 20],
  'iotlb.ways': [1, 1 << 20],
  'iotlb.large-sets': [0, 1 << 20],
  'iotlb.large-ways': [1, 1 << 20],
  'iotlb.huge-sets': [0, 1 << 20],
  'iotlb.huge-ways': [1, 1 << 20],
  'iotlb.hashed': [0, 2],
  'iotlb.replacement': [0, 3],
  'iotlb.refill-invalid-first': [0, 1],
  'iotlb.mask-bits': [0, 52],
  'page-table.levels': [3, 5],
  'page-table.leafs': [1, 7],
  'page-table.granule': [12, 16],
  'context.entries': [0, 1 << 16],
  'pasid.entries': [0, 1 << 16],
  'device-tlb.entries': [0, 1 << 20],
  'device-tlb.associativity': [0, 1 << 20],
  'command.max-mask': [0, 63],
  'walk-cache.l1': [0, 1 << 16],
  'walk-cache.l2': [0, 1 << 16],
  'walk-cache.l3': [0, 1 << 16],
  'walk-cache.l4': [0, 1 << 16],
  'walk-cache.stage2': [0, 1 << 20],
};
const MOST_ENTRIES = 1 << 22;

/**
 * The profile of a `--hardware` name; `auto` chooses by the trace's header: QEMU's own cache where QEMU recorded the accesses
 * or emulated the IOMMU, else a generic unit of the architecture. Throws `USAGE` for an unknown name.
 */
export function hardwareProfile(name: string, header: TraceHeader): HardwareProfile {
  if (name === 'auto') return automatic(header);
  const found = HARDWARE.find((profile) => profile.name === name);
  if (found !== undefined) return found;
  const names = ['auto', ...HARDWARE.map((profile) => profile.name)];
  const near = nearest(name, names);
  throw new IorrError('USAGE', `unknown hardware '${name}'; known: ${names.join(', ')}`, {
    hint: near === undefined ? 'iorr replay --help lists them' : `did you mean '${near}'?`,
  });
}

function automatic({ host, sources }: TraceHeader): HardwareProfile {
  const log = sources.find((source) => source.format === 'qemu-log');
  const emulated = log !== undefined || host.emulated === true;
  switch (host.iommu) {
    case 'smmuv3':
      return withPageSize(emulated ? qemuSmmuv3 : armSmmuv3Generic, host.pageSize);
    case 'amd':
      return emulated ? qemuAmd : amdGeneric;
    case 'virtio':
      return qemuVirtio;
    case 'riscv':
      return riscvGeneric;
    default:
      if (!emulated) return vtdServer;
      return log !== undefined && /\b7\.2\b/.test(log.producer) ? qemuVtd72 : qemuVtd;
  }
}

/** Kernels take their own page size as granule where the hardware has it (drivers/iommu/io-pgtable-arm.c). */
function withPageSize(profile: HardwareProfile, pageSize: number | undefined): HardwareProfile {
  if (pageSize !== 0x4000 && pageSize !== 0x1_0000) return profile;
  const parameters = profile.parameters.map((parameter) =>
    parameter.name === 'page-table.granule'
      ? { ...parameter, value: Math.log2(pageSize), source: "the trace's page size" }
      : parameter,
  );
  return { ...profile, parameters };
}

/**
 * The profile with some parameters replaced: `iotlb.sets=128`, or short `sets=128` where only one parameter ends so. Throws
 * `USAGE` for an unknown key, a value that is no number, or one out of range.
 */
export function withSettings(profile: HardwareProfile, settings: readonly string[]): HardwareProfile {
  let { parameters } = profile;
  for (const setting of settings.flatMap((text) => text.split(','))) {
    const [key = '', text = ''] = setting.split('=', 2);
    const name = fullName(profile, key.trim());
    const value = Number(text);
    const [low, high] = RANGES[name] ?? [0, 0x7fff_ffff];
    if (text.trim() === '' || !Number.isInteger(value) || value < low || value > high) {
      throw new IorrError('USAGE', `--set ${setting}: ${name} takes a whole number from ${low} to ${high}`, {
        hint: `for example --set ${key}=${low}`,
      });
    }
    parameters = parameters.map((parameter): ProfileParameter => {
      return parameter.name === name
        ? { ...parameter, value, source: 'set by the user', standing: 'assumed' }
        : parameter;
    });
  }
  const value = (name: string): number => parameters.find((parameter) => parameter.name === name)?.value ?? 0;
  const entries = ['', 'large-', 'huge-'].reduce(
    (sum, bank) => sum + value(`iotlb.${bank}sets`) * value(`iotlb.${bank}ways`),
    0,
  );
  if (entries > MOST_ENTRIES) {
    throw new IorrError('USAGE', `an IOTLB of ${value('iotlb.sets')} sets x ${value('iotlb.ways')} ways`, {
      hint: `sets times ways may be ${MOST_ENTRIES} at most`,
    });
  }
  return settings.length === 0 ? profile : { ...profile, parameters };
}

/** Which hardware has a parameter. */
function elsewhere(key: string): string {
  const having = HARDWARE.filter(({ parameters }) =>
    parameters.some(({ name }) => name === key || name.endsWith(`.${key}`)),
  );
  if (having.length === 0) return 'write --set name=value';
  return `--hardware with one that has it: ${having.map(({ name }) => name).join(', ')}`;
}

function fullName(profile: HardwareProfile, key: string): string {
  const names = profile.parameters.map((parameter) => parameter.name);
  if (names.includes(key)) return key;
  const ending = names.filter((name) => name.endsWith(`.${key}`));
  if (ending.length === 1 && ending[0] !== undefined) return ending[0];
  const near = nearest(key, [...names, ...names.map((name) => name.slice(name.indexOf('.') + 1))]);
  throw new IorrError('USAGE', `the hardware ${profile.name} has no parameter '${key}'; it has ${names.join(', ')}`, {
    hint: near === undefined ? elsewhere(key) : `did you mean '${near}'?`,
  });
}
