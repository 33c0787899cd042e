import type { Backend } from './backend.ts';
import type { Device, DeviceGroup } from './device.ts';
import type { Hwpt } from './hwpt.ts';
import type { SvaDomain } from './sva.ts';

/**
 * What a device's DMA goes through by one PASID (0: no PASID). `domain` tells domains apart; of those that there is only one
 * of (blocked, identity) it is 0.
 */
export interface Translation {
  readonly kind: 'blocked' | 'identity' | 'stage1' | 'stage2' | 'nested' | 'sva';
  readonly domain: number;
}

/** The static domains: every driver has them, nothing about them can fail. */
export const BLOCKED: Translation = { kind: 'blocked', domain: 0 };
export const IDENTITY: Translation = { kind: 'identity', domain: 0 };

/**
 * How a driver writes translations for hardware: the words of a device's entry, by what they hold. `undefined`: hardware does
 * not look at the word for that kind of translation, so that it can be written beforehand.
 */
export interface EntryFormat {
  /** Words, aligned, that one store changes at once. */
  readonly atomicWords: number;
  words(to: Translation, pasid: number): readonly (string | undefined)[];
  /** Whether the RID may go through `to` while PASIDs of the device are in use. */
  ridBesidePasids(to: Translation): boolean;
}

export function sameTranslation(a: Translation, b: Translation): boolean {
  return a.kind === b.kind && a.domain === b.domain;
}

/**
 * What a device sees while its entry changes, ending with `to`. Words that hardware looks at only for the new kind are written
 * first; the rest must change by one store, or the entry is made invalid (blocked) meanwhile. There is no other way between.
 */
export function visibleSteps(format: EntryFormat, from: Translation, to: Translation, pasid: number): Translation[] {
  if (sameTranslation(from, to)) return [];
  if (from.kind === 'blocked' || to.kind === 'blocked') return [to];
  const before = format.words(from, pasid);
  const after = format.words(to, pasid);
  const stores = new Set<number>();
  for (const [index, word] of after.entries()) {
    const old = before[index];
    if (word !== undefined && old !== undefined && word !== old) stores.add(Math.floor(index / format.atomicWords));
  }
  return stores.size <= 1 ? [to] : [BLOCKED, to];
}

/** Whether DMA to addresses that both translate alike goes on during the change. */
export function hitless(format: EntryFormat, from: Translation, to: Translation, pasid: number): boolean {
  return visibleSteps(format, from, to, pasid).length <= 1 || from.kind === 'blocked';
}

/** What devices went through, step by step, by group (they share a requester id or can't be told apart) and PASID. */
export class TranslationLog {
  readonly #format: EntryFormat;
  readonly #groups = new Map<DeviceGroup, Map<number, Translation[]>>();
  readonly #domains = new Map<Hwpt | SvaDomain, number>();
  readonly #start: Translation;

  /** `start`: where devices are when user space takes them over; blocked, for no driver of the kernel uses them. */
  constructor(format: EntryFormat, start: Translation = BLOCKED) {
    this.#format = format;
    this.#start = start;
  }

  /** All that was seen, oldest first; never empty. */
  seen({ group }: Device, pasid = 0): readonly Translation[] {
    return this.#steps(group, pasid);
  }

  /** What the device's DMA goes through now. */
  now({ group }: Device, pasid = 0): Translation {
    return this.#steps(group, pasid).at(-1) ?? this.#start;
  }

  /** The device's entry for `pasid` was changed to a domain, or to blocked. */
  changed({ group }: Device, pasid: number, to: Hwpt | SvaDomain | undefined): void {
    const steps = this.#steps(group, pasid);
    const from = steps.at(-1) ?? this.#start;
    steps.push(...visibleSteps(this.#format, from, this.translationOf(to), pasid));
  }

  translationOf(to: Hwpt | SvaDomain | undefined): Translation {
    if (to === undefined) return BLOCKED;
    let domain = this.#domains.get(to);
    if (domain === undefined) {
      domain = this.#domains.size + 1;
      this.#domains.set(to, domain);
    }
    if (to.type === 'sva') return { kind: 'sva', domain };
    if (to.type === 'hwptNested') return { kind: 'nested', domain };
    return { kind: to.domain.stage === 1 ? 'stage1' : 'stage2', domain };
  }

  #steps(group: DeviceGroup, pasid: number): Translation[] {
    let pasids = this.#groups.get(group);
    if (pasids === undefined) {
      pasids = new Map();
      this.#groups.set(group, pasids);
    }
    let steps = pasids.get(pasid);
    if (steps === undefined) {
      steps = [this.#start];
      pasids.set(pasid, steps);
    }
    return steps;
  }
}

/** The back-end, with every change of a device's translation noted in `log`. */
export function observed(backend: Backend, log: TranslationLog): Backend {
  return { ...backend, changed: (device, pasid, to) => log.changed(device, pasid, to) };
}
