import { Random } from '../../../traces/random.ts';
import type { Nanoseconds, PageNumber } from '../../../traces/units.ts';

/**
 * Page request groups in the order of their time, as arrays of one length. Where `requestsFrom` is given, group i has the
 * requests `requestsFrom[i]` to `requestsFrom[i + 1]`; without it each group is one request for a page of its own.
 */
export interface FaultArrivals {
  readonly groups: number;
  /** When the device wants the translations: of its first request. */
  readonly time: Float64Array;
  /** 0 to `devices` - 1; without it all are device 0. */
  readonly device?: Int32Array;
  readonly devices: number;
  /** Requester by device, where they have one. */
  readonly rids: readonly number[];
  readonly requestsFrom?: Int32Array;
  readonly pages?: RequestPages;
  /** By group: what its server took in the recording, NaN where it is not known. */
  readonly serviceNs?: Float64Array;
  /** By group: 1 where it was answered with anything but success. */
  readonly refused?: Uint8Array;
}

/** What the requests of groups ask for; all arrays have the same length. */
export interface RequestPages {
  readonly page: Float64Array;
  /** Address space, by any number. */
  readonly space: Int32Array;
  /** After the group's first request. */
  readonly offsetNs: Float64Array;
}

export interface MadeArrivals {
  readonly groups: number;
  readonly devices: number;
  /** Groups of all devices together in a second. */
  readonly perSecond: number;
  /** `poisson`: independent of each other; `fixed`: one each so many ns. */
  readonly kind: 'poisson' | 'fixed';
  readonly seed: number;
}

/** Groups of one request, of devices in turn. */
export function makeArrivals({ groups, devices, perSecond, kind, seed }: MadeArrivals): FaultArrivals {
  const random = new Random(seed);
  const gapNs = 1e9 / perSecond;
  const time = new Float64Array(groups);
  let now = 0;
  for (let i = 0; i < groups; i++) {
    now += kind === 'fixed' ? gapNs : -gapNs * Math.log(1 - random.unit());
    time[i] = Math.round(now);
  }
  return {
    groups,
    time,
    devices,
    rids: [],
    ...(devices === 1 ? {} : { device: Int32Array.from({ length: groups }, (_, i) => i % devices) }),
  };
}

/** The times of groups over again, when a device's rate is that of a Poisson process instead of the recorded one. */
export function withTimes(
  arrivals: FaultArrivals,
  perSecond: number,
  kind: 'poisson' | 'fixed',
  seed: number,
): FaultArrivals {
  const { groups, devices } = arrivals;
  return { ...arrivals, time: makeArrivals({ groups, devices, perSecond, kind, seed }).time };
}

/** All groups at once: a storm at the beginning of a pass. */
export function stormArrivals(groups: number, at: Nanoseconds, firstPage: PageNumber): FaultArrivals {
  return {
    groups,
    time: new Float64Array(groups).fill(at),
    devices: 1,
    rids: [],
    requestsFrom: Int32Array.from({ length: groups + 1 }, (_, i) => i),
    pages: {
      page: Float64Array.from({ length: groups }, (_, i) => firstPage + i),
      space: new Int32Array(groups),
      offsetNs: new Float64Array(groups),
    },
  };
}
