import { IorrError } from '../../traces/errors.ts';
import type { TraceHeader } from '../../traces/header.ts';
import type { Backend, DeviceTraits, IovaRange, PagingDomain } from '../model/iommufd/backend.ts';
import { Context } from '../model/iommufd/context.ts';
import { Device } from '../model/iommufd/device.ts';
import { HARDWARE } from '../model/iommufd/hardware/backends.ts';
import { HW_CAPABILITY } from '../model/iommufd/hardware/hardware-backend.ts';
import type { Parameters } from '../model/iommufd/hardware/hardware-backend.ts';
import { Machine } from '../model/iommufd/machine.ts';
import { StructView } from '../model/iommufd/struct-view.ts';
import type { RecordedHardware } from '../model/iommufd/vfio/hardware.ts';
import type { HardwareFinding } from './recorded-hardware.ts';

/** Drivers under the VFIO devices of a recording: what it shows of them, by its header, or one of the model's by name. */
export const AS_RECORDED = 'as-recorded';
export const DRIVER_NAMES: readonly string[] = [
  AS_RECORDED,
  'auto',
  ...HARDWARE.map(({ name }) => name).filter((name) => name !== AS_RECORDED),
];

/** A driver of the model in the place of what a recording shows. */
export interface ChosenDriver {
  readonly name: string;
  readonly backend: Backend;
  readonly traits: DeviceTraits;
  /** What containers and devices are told, by the rules of the driver. */
  readonly hardware: RecordedHardware;
  /** Events whose results are still taken as input: registers, and what only the device knows. */
  readonly events: ReadonlySet<number>;
}

/** GET_HW_INFO types (enum iommu_hw_info_type) and what headers call the IOMMU. */
const BY_INFO_TYPE: ReadonlyMap<number, string> = new Map([
  [1, 'vtd'],
  [2, 'smmuv3'],
  [4, 'amd'],
]);
/** IOMMU_HW_CAP_DIRTY_TRACKING. */
const DIRTY = 1;
const NO_DATA = { type: 0, length: 0, address: 0n, read: () => -1 };

type Values = { readonly [name: string]: bigint | boolean };

/** The name behind `auto`: by what GET_HW_INFO said, else by the header; what is recorded where neither tells. */
function inferred(finding: HardwareFinding, { host }: TraceHeader): string {
  const { infoType } = finding.hardware;
  const name = (infoType === undefined ? undefined : BY_INFO_TYPE.get(infoType)) ?? host.iommu;
  return HARDWARE.some((member) => member.name === name) && name !== undefined ? name : AS_RECORDED;
}

/**
 * The driver of that name; undefined for what the recording shows. Where the recording is of that driver, registers are those of
 * its GET_HW_INFO, or the model's as far as the recording doesn't contradict: all rules that follow from them are the driver's.
 * What the recording shows is not enough where there are guests' tables: `as-recorded` is then the driver behind `auto`.
 * Throws `USAGE` for an unknown name.
 */
export function chooseDriver(
  name: string,
  finding: HardwareFinding | undefined,
  header: TraceHeader,
): ChosenDriver | undefined {
  if (!DRIVER_NAMES.includes(name)) {
    throw new IorrError('USAGE', `no driver ${name}`, { hint: `one of ${DRIVER_NAMES.join(', ')}` });
  }
  if (finding === undefined) return undefined;
  const byHeader = name === 'auto' || (name === AS_RECORDED && finding.nested === true);
  const chosen = byHeader ? inferred(finding, header) : name;
  const spec = chosen === AS_RECORDED ? undefined : HARDWARE.find((member) => member.name === chosen);
  if (spec === undefined) return undefined;
  const { hardware } = finding;
  const same = hardware.infoType !== undefined && BY_INFO_TYPE.get(hardware.infoType) === chosen;
  const registers = same ? registersOf(chosen, hardware) : undefined;
  const { backend, device } = spec.create(
    same ? { ...(registers ?? narrowed(chosen, spec.parameters, hardware)), ...modes(chosen, hardware) } : {},
  );
  const { pasidBits } = hardware;
  const traits = { ...device(), ...(same && pasidBits !== undefined ? { pasidBits } : {}) };
  const context = new Context(new Machine(backend));
  const domain = backend.allocPaging(new Device(context, traits), 0, NO_DATA);
  const known = typeof domain === 'number' ? {} : ranges(domain, traits);
  const events = new Set<number>();
  for (const [event, fact] of finding.events) {
    const used = same && (fact === 'info' || (fact === 'nests' && registers === undefined));
    if (fact === 'device' || used) events.add(event);
  }
  return { name: chosen, backend, traits, hardware: { ...hardware, ...known }, events };
}

/** Values of the driver's registers in the payload of GET_HW_INFO; undefined: it was not recorded. */
function registersOf(name: string, { info }: RecordedHardware): Values | undefined {
  if (info === undefined) return undefined;
  const view = new StructView(info);
  const word = (at: number): bigint => BigInt(view.u32(at));
  if (name === 'vtd' && info.length >= 24) {
    return { cap: view.u64(8), ecap: view.u64(16), errata772415: (view.u32(0) & 1) !== 0 };
  }
  if (name === 'amd' && info.length >= 16) return { efr: view.u64(0), efr2: view.u64(8) };
  if (name !== 'smmuv3' || info.length < 40) return undefined;
  return { idr0: word(8), idr1: word(12), idr3: word(20), idr5: word(28), iidr: word(32), aidr: word(36) };
}

/** Bits of registers without which there are no dirty bits, no parents of nested tables. */
const DECIDING: { readonly [driver: string]: { readonly dirty: Bit; readonly nests: Bit } } = {
  vtd: { dirty: { register: 'ecap', bit: 45 }, nests: { register: 'ecap', bit: 26 } },
  amd: { dirty: { register: 'efr', bit: 52 }, nests: { register: 'efr2', bit: 3 } },
  smmuv3: { dirty: { register: 'idr0', bit: 7 }, nests: { register: 'idr0', bit: 0 } },
};

interface Bit {
  readonly register: string;
  readonly bit: number;
}

/** Where registers were not recorded: the model's, without what the recording shows not to be there. */
function narrowed(name: string, parameters: Parameters, { capabilities, nests }: RecordedHardware): Values {
  const deciding = DECIDING[name];
  const values: { [name: string]: bigint } = {};
  const clear = ({ register, bit }: Bit): void => {
    const value = values[register] ?? parameters[register]?.value;
    if (typeof value === 'bigint') values[register] = value & ~(1n << BigInt(bit));
  };
  if (deciding === undefined) return values;
  if (capabilities !== undefined && (capabilities & DIRTY) === 0) clear(deciding.dirty);
  if (nests === false) clear(deciding.nests);
  return values;
}

/** What no register says: whether devices have ATS, and whether VT-d is in scalable mode, without which it has no dirty bits. */
function modes(name: string, { capabilities, info }: RecordedHardware): Values {
  if (capabilities === undefined) return {};
  const deviceAts = (capabilities & HW_CAPABILITY.atsNotSupported) === 0;
  if (name !== 'vtd' || info === undefined || info.length < 24) return { deviceAts };
  const could = ((new StructView(info).u64(16) >> 45n) & 1n) === 1n;
  return { deviceAts, scalable: !could || (capabilities & DIRTY) !== 0 };
}

/** What can be mapped for a device of the driver: the aperture without reserved regions, in pages of the CPU and up. */
function ranges({ aperture, pageSizes }: PagingDomain, traits: DeviceTraits): Partial<RecordedHardware> {
  const usable: IovaRange[] = [];
  let next = aperture.start;
  for (const { start, last } of [...traits.reserved].sort((a, b) => (a.start < b.start ? -1 : 1))) {
    if (last < next) continue;
    if (start > aperture.last) break;
    if (start > next) usable.push({ start: next, last: start - 1n });
    next = last + 1n;
  }
  if (next <= aperture.last) usable.push({ start: next, last: aperture.last });
  return { usable, pageSizes };
}
