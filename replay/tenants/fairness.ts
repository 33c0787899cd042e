import type { Trace } from '../../traces/trace.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { createMachine } from '../model/create-machine.ts';
import { ACCESS_RESULT } from '../model/machine.ts';
import type { Machine } from '../model/machine.ts';
import { REPLAY_COLUMNS, createPlayer } from '../engine/replay.ts';
import { SeriesBuilder } from '../engine/time-series.ts';
import type { TenantTrace } from './tenant-trace.ts';

/** Lookups of each tenant, and those of them that hit. */
export interface TenantHits {
  readonly lookups: readonly number[];
  readonly hits: readonly number[];
  /** Lookups that are nobody's. */
  readonly others: number;
}

/** Shares of tenants with lookups. */
export interface Fairness {
  readonly tenants: number;
  /** Tenants without a lookup, which are left out. */
  readonly silent: number;
  readonly min: number;
  readonly median: number;
  readonly max: number;
  /** Jain's index, 1 where all are the same, 1/n where one has all: Jain, Chiu and Hawe, DEC-TR-301 (1984). */
  readonly jain: number;
}

/** Replays the recorded commands and accesses and counts the hits of each tenant in the IOTLB. */
export function tenantHits(trace: TenantTrace, hardware: HardwareProfile): TenantHits {
  const lookups = new Float64Array(trace.tenants);
  const hits = new Float64Array(trace.tenants);
  let others = 0;
  const machine = createMachine(hardware, { unmappedAccess: 'fill' });
  const { accessNow } = machine;
  const counted: Machine = Object.create(machine, {
    accessNow: {
      value: (...args: Parameters<Machine['accessNow']>): number => {
        const result = accessNow(...args);
        if ((result & ACCESS_RESULT.device) !== 0) return result;
        const tenant = trace.tenantOf(args[0], args[2]);
        if (tenant < 0) others++;
        else {
          lookups[tenant]!++;
          if ((result & ACCESS_RESULT.hit) !== 0) hits[tenant]!++;
        }
        return result;
      },
    },
  }) as Machine;
  const player = createPlayer(counted, new SeriesBuilder());
  for (const segment of (trace as Trace).segments({ columns: REPLAY_COLUMNS, reuse: true })) player.play(segment, 0);
  return { lookups: [...lookups], hits: [...hits], others };
}

/** How evenly hit rates are spread; null without a lookup. */
export function fairnessOf({ lookups, hits }: TenantHits): Fairness | null {
  const rates = lookups.flatMap((count, tenant) => (count > 0 ? [hits[tenant]! / count] : [])).sort((a, b) => a - b);
  if (rates.length === 0) return null;
  const sum = rates.reduce((total, rate) => total + rate, 0);
  const squares = rates.reduce((total, rate) => total + rate * rate, 0);
  const middle = rates.length >> 1;
  return {
    tenants: rates.length,
    silent: lookups.length - rates.length,
    min: rates[0]!,
    median: rates.length % 2 === 1 ? rates[middle]! : (rates[middle - 1]! + rates[middle]!) / 2,
    max: rates.at(-1)!,
    jain: squares === 0 ? 1 : (sum * sum) / (rates.length * squares),
  };
}
