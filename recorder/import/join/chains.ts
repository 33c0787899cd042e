import type { DomainId, PageNumber, RequesterId } from '../../../traces/units.ts';
import type { LiveMaps } from './live-maps.ts';
import { compatible } from './owner-rows.ts';

export interface Chains {
  /** Each a row of live maps, as slots, that fills the range exactly. */
  readonly chains: (readonly number[])[];
  /** Live maps share pages with the range without being in any chain. */
  readonly leftOver: boolean;
}

/** More possibilities than this for one range are not told apart. */
export const MOST_CHAINS = 16;

/**
 * The ways in which live maps fill a range without gap or overlap: one unmap may close several maps, such as the pieces of a
 * scatter-gather list. `found` holds every live map that shares pages with the range, in order of their first page.
 * From each map at the start of the range a chain goes on with the map that starts where the last one ends; where several do,
 * with the one that was made next after it by the same task.
 */
export function assembleChains(
  live: LiveMaps,
  found: readonly number[],
  page: PageNumber,
  pages: number,
  domain: DomainId,
  device: RequesterId,
): Chains {
  const end = page + pages;
  const byStart = new Map<PageNumber, number[]>();
  for (const slot of found) {
    const start = live.page[slot]!;
    if (start < page || start + live.pages[slot]! > end) continue;
    if (!compatible(live.domain[slot]!, live.device[slot]!, domain, device)) continue;
    const list = byStart.get(start);
    if (list === undefined) byStart.set(start, [slot]);
    else list.push(slot);
  }
  const chains: (readonly number[])[] = [];
  const used = new Set<number>();
  for (const first of byStart.get(page) ?? []) {
    const chain = grow(live, byStart, first, end);
    if (chain === null) continue;
    chains.push(chain);
    for (const slot of chain) used.add(slot);
    if (chains.length >= MOST_CHAINS) break;
  }
  return { chains, leftOver: used.size < found.length };
}

function grow(
  live: LiveMaps,
  byStart: ReadonlyMap<PageNumber, number[]>,
  first: number,
  end: PageNumber,
): number[] | null {
  const chain = [first];
  let domain = live.domain[first]!;
  let device = live.device[first]!;
  let last = first;
  let at = live.page[first]! + live.pages[first]!;
  while (at < end) {
    let next = -1;
    let distance = Number.POSITIVE_INFINITY;
    for (const slot of byStart.get(at) ?? []) {
      if (!compatible(live.domain[slot]!, live.device[slot]!, domain, device)) continue;
      const apart = Math.abs(live.row[slot]! - live.row[last]!) + (live.actor[slot] === live.actor[last] ? 0 : 1e9);
      if (apart < distance) {
        distance = apart;
        next = slot;
      }
    }
    if (next < 0) return null;
    if (domain < 0) domain = live.domain[next]!;
    if (device < 0) device = live.device[next]!;
    chain.push(next);
    last = next;
    at = live.page[next]! + live.pages[next]!;
  }
  return chain;
}

/** Each slot once. */
export function slotsOf(chains: readonly (readonly number[])[]): readonly number[] {
  let all = 0;
  for (const { length } of chains) all += length;
  if (all > 16) return [...new Set(chains.flat())];
  const slots: number[] = [];
  for (const chain of chains) {
    for (const slot of chain) if (!slots.includes(slot)) slots.push(slot);
  }
  return slots;
}

/** Leaves the chains that hold none of these slots. */
export function withdraw(chains: (readonly number[])[], slots: readonly number[]): void {
  let kept = 0;
  for (let k = 0; k < chains.length; k++) {
    const chain = chains[k]!;
    if (!shareOne(chain, slots)) chains[kept++] = chain;
  }
  while (chains.length > kept) chains.pop();
}

/** Both are nearly always of one slot. */
function shareOne(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 0; i < a.length; i++) for (let j = 0; j < b.length; j++) if (a[i] === b[j]) return true;
  return false;
}
