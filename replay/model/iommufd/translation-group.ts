import { ERRNO } from './errno.ts';
import { BLOCKED, sameTranslation, visibleSteps } from './translation-state.ts';
import type { EntryFormat, Translation } from './translation-state.ts';

/** What one device's driver says of a change: 0, or a negative errno. Not asked for blocked and identity. */
export type Refusal = (device: number, to: Translation) => number;

/**
 * Devices that change together, as the kernel's IOMMU core moves them (drivers/iommu/iommu.c, __iommu_group_set_domain and
 * iommu_attach_device_pasid): the default domain, a driver taking them over, domains on PASIDs. Every kind of domain goes the
 * same way; a device that refuses has changed nothing, and those before it go back.
 */
export class TranslationGroup {
  readonly size: number;
  readonly #format: EntryFormat;
  readonly #pasidLimit: number;
  readonly #default: Translation;
  /** By PASID, by device: all that was seen. */
  readonly #seen = new Map<number, Translation[][]>();

  constructor(format: EntryFormat, size: number, defaultDomain: Translation, pasidBits: number) {
    this.#format = format;
    this.size = size;
    this.#default = defaultDomain;
    this.#pasidLimit = pasidBits === 0 ? 0 : 2 ** pasidBits;
    this.#seen.set(
      0,
      Array.from({ length: size }, () => [defaultDomain]),
    );
  }

  seen(device: number, pasid = 0): readonly Translation[] {
    return this.#seen.get(pasid)?.[device] ?? [BLOCKED];
  }

  now(pasid = 0): Translation {
    return this.seen(0, pasid).at(-1) ?? BLOCKED;
  }

  /** Whether any PASID goes through a domain. */
  get pasidsInUse(): boolean {
    return [...this.#seen.keys()].some((pasid) => pasid !== 0 && this.now(pasid).kind !== 'blocked');
  }

  /** User space takes the devices over: no driver of the kernel may use them, so all is blocked. */
  claim(): void {
    this.change(0, BLOCKED);
  }

  /** Back to the kernel's own domain. */
  release(): void {
    for (const pasid of this.#seen.keys()) if (pasid !== 0) this.change(pasid, BLOCKED);
    this.change(0, this.#default);
  }

  /** 0, or a negative errno after which every device goes through what it did before. */
  change(pasid: number, to: Translation, refusal: Refusal = () => 0): number {
    if (pasid !== 0 && pasid >= this.#pasidLimit) return -ERRNO.EINVAL;
    if (to.kind === 'sva' && pasid === 0) return -ERRNO.EINVAL;
    if (pasid !== 0 && to.kind === 'identity') return -ERRNO.EOPNOTSUPP;
    if (pasid === 0 && this.pasidsInUse && !this.#format.ridBesidePasids(to)) return -ERRNO.EBUSY;
    if (pasid !== 0 && to.kind !== 'blocked' && !this.#format.ridBesidePasids(this.now())) return -ERRNO.EINVAL;
    const devices = this.#devices(pasid);
    const from = this.now(pasid);
    const neverFails = to.kind === 'blocked' || to.kind === 'identity';
    for (const [device, seen] of devices.entries()) {
      const ret = neverFails || sameTranslation(from, to) ? 0 : refusal(device, to);
      if (ret !== 0) {
        for (const before of devices.slice(0, device)) before.push(...visibleSteps(this.#format, to, from, pasid));
        return ret;
      }
      seen.push(...visibleSteps(this.#format, from, to, pasid));
    }
    return 0;
  }

  #devices(pasid: number): Translation[][] {
    let devices = this.#seen.get(pasid);
    if (devices === undefined) {
      devices = Array.from({ length: this.size }, () => [BLOCKED]);
      this.#seen.set(pasid, devices);
    }
    return devices;
  }
}
