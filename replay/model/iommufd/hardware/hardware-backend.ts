import type { Backend, DeviceTraits } from '../backend.ts';
import { enforcedRegions, msiRoute, takeover } from './reserved-regions.ts';
import type { ReservedRegion } from './reserved-regions.ts';
import type { EntryFormat } from '../translation-state.ts';

/** A named value of a back-end: a register's contents, a number, or whether something is there. */
export interface Parameter<T extends bigint | number | boolean = bigint | number | boolean> {
  readonly value: T;
  /** What it says, and where that is defined. */
  readonly what: string;
}

export type Parameters = { readonly [name: string]: Parameter };

/** Values by parameter name, to set instead of the defaults. */
export type ParameterValues<P extends Parameters> = { readonly [K in keyof P]?: P[K]['value'] };
export type AllValues<P extends Parameters> = { readonly [K in keyof P]: P[K]['value'] };

/** One piece of hardware with its driver. */
export interface Hardware {
  readonly backend: Backend;
  /** A device behind it; `regions` beside those that the IOMMU has for all devices. */
  readonly device: (regions?: readonly ReservedRegion[]) => DeviceTraits;
  /** Regions of every device. */
  readonly regions: readonly ReservedRegion[];
  /** How its driver writes what a device's DMA goes through. */
  readonly entries: EntryFormat;
}

/** A member of the registry. */
export interface HardwareSpec {
  readonly name: string;
  readonly title: string;
  readonly parameters: Parameters;
  readonly create: (values?: { readonly [name: string]: bigint | number | boolean | undefined }) => Hardware;
}

/** The defaults with `values` set; names that the back-end doesn't have and values of another type throw RangeError. */
export function withDefaults<P extends Parameters>(
  parameters: P,
  values: { readonly [name: string]: bigint | number | boolean | undefined },
): AllValues<P> {
  const all: { [name: string]: bigint | number | boolean } = {};
  for (const [name, parameter] of Object.entries(parameters)) all[name] = parameter.value;
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    if (!(name in all)) throw new RangeError(`no parameter ${name}: ${Object.keys(parameters).join(', ')}`);
    if (typeof value !== typeof all[name])
      throw new RangeError(`${name} takes a ${typeof all[name]}, not the ${typeof value} ${value}`);
    all[name] = value;
  }
  return all as AllValues<P>;
}

/** What a device's traits say of reserved regions. A combination that no driver may give throws RangeError. */
export function reservedOf(regions: readonly ReservedRegion[]): DeviceTraits['reserved'] {
  const enforced = enforcedRegions(regions);
  if (typeof enforced === 'number') throw new RangeError('a hardware MSI window and a software one exclude each other');
  return enforced;
}

/** What reserved regions make of a device. Throws RangeError as `reservedOf`. */
export function regionTraits(
  regions: readonly ReservedRegion[],
): Pick<DeviceTraits, 'reserved' | 'msiRoute' | 'oneToOne'> {
  return { reserved: reservedOf(regions), msiRoute: msiRoute(regions), oneToOne: takeover(regions) !== 0 };
}

/** Bit `at` of a capability register. */
export function bit(register: bigint, at: number): boolean {
  return ((register >> BigInt(at)) & 1n) === 1n;
}

/** Bits `high` to `low` of a capability register. */
export function field(register: bigint, high: number, low: number): number {
  return Number((register >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n));
}

/** GET_HW_INFO capability bits (enum iommufd_hw_capabilities). */
export const HW_CAPABILITY = { pasidExec: 2, pasidPriv: 4, atsNotSupported: 8 } as const;
