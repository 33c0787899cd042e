import type { Random } from '../../traces/random.ts';
import type { VtdGuest } from './vtd-guest.ts';
import { YIELD_EVENTS } from './workload.ts';

/** A device with what drives it, as a part of a workload: it writes its events at the guest's time, and lets that pass. */
export interface Tenant {
  /** Once, first: attaches the device and maps what it needs to begin. Yields between operations. */
  start(): Generator<void>;
  /** One operation from its first event to its last: a packet, a read, an access. */
  step(): void;
}

/** A tenant with its share of the operations, in any unit. */
export interface SharedTenant {
  readonly share: number;
  readonly tenant: Tenant;
}

/** Boots the guest, starts all tenants, and lets them take turns at random by their shares until there are `events` events. */
export function* playTenants(
  guest: VtdGuest,
  tenants: readonly SharedTenant[],
  events: number,
  random: Random,
): Generator<number> {
  guest.boot();
  let reported = 0;
  for (const { tenant } of tenants) {
    for (const _step of tenant.start()) {
      if (guest.events >= events) return;
      if (guest.events - reported >= YIELD_EVENTS) yield (reported = guest.events);
    }
  }
  const total = tenants.reduce((sum, { share }) => sum + share, 0);
  while (guest.events < events) {
    let at = tenants.length > 1 ? random.unit() * total : 0;
    const chosen = tenants.find(({ share }) => (at -= share) < 0) ?? tenants[0];
    chosen?.tenant.step();
    if (guest.events - reported >= YIELD_EVENTS) yield (reported = guest.events);
  }
  yield guest.events;
}
