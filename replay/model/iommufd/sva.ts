import type { Device, DeviceGroup } from './device.ts';
import { ERRNO } from './errno.ts';
import { LowestFree } from './lowest-free.ts';
import type { OpenFile } from './process.ts';

/** A process's own page table as a domain. */
export interface SvaDomain {
  readonly type: 'sva';
  /** Its pid. */
  readonly process: number;
  readonly pasid: number;
}

interface Space {
  readonly domain: SvaDomain;
  /** The process is gone; what is bound still holds the PASID. */
  ended: boolean;
  readonly binds: Map<DeviceGroup, { readonly device: Device; count: number }>;
}

/**
 * Shared virtual addresses (drivers/iommu/iommu-sva.c; uacce, idxd): a process has one PASID for all devices, from its first
 * bind until it is gone and nothing is bound any more. On a device the PASID is taken like any other: what IOMMUFD attached
 * there stands in its way, and the other way round.
 */
export class SvaSpaces {
  readonly #pasids = new LowestFree(1);
  readonly #spaces = new Map<number, Space>();

  /** iommu_sva_bind_device: the PASID that the device may use, or a negative errno. Binding again is counted. */
  bind(device: Device, process: number): number {
    const limit = device.traits.pasidBits === 0 ? 0 : 2 ** device.traits.pasidBits;
    const space = this.#spaces.get(process) ?? this.#share(process, limit);
    if (space === undefined) return -ERRNO.ENOSPC;
    const { pasid } = space.domain;
    if (pasid >= limit) return -ERRNO.EOVERFLOW;
    const bound = space.binds.get(device.group);
    if (bound !== undefined) {
      bound.count++;
      return pasid;
    }
    const ret = device.attachSva(space.domain);
    if (ret !== 0) return ret;
    space.binds.set(device.group, { device, count: 1 });
    return pasid;
  }

  /** iommu_sva_unbind_device; false: it was not bound. */
  unbind(device: Device, process: number): boolean {
    const space = this.#spaces.get(process);
    const bound = space?.binds.get(device.group);
    if (space === undefined || bound === undefined) return false;
    bound.count--;
    if (bound.count > 0) return true;
    space.binds.delete(device.group);
    bound.device.detachSva(space.domain);
    this.#settle(space);
    return true;
  }

  /** The process's memory goes: devices are blocked at once, and keep the PASID until they are unbound. */
  exit(process: number): void {
    const space = this.#spaces.get(process);
    if (space === undefined) return;
    space.ended = true;
    for (const { device } of space.binds.values()) device.blockSva(space.domain);
    this.#settle(space);
  }

  /** Undefined: no PASID is free that the device could use. */
  #share(process: number, limit: number): Space | undefined {
    const pasid = this.#pasids.take();
    if (pasid >= limit) {
      this.#pasids.give(pasid);
      return undefined;
    }
    const space: Space = { domain: { type: 'sva', process, pasid }, ended: false, binds: new Map() };
    this.#spaces.set(process, space);
    return space;
  }

  #settle({ domain, ended, binds }: Space): void {
    if (!ended || binds.size > 0) return;
    this.#spaces.delete(domain.process);
    this.#pasids.give(domain.pasid);
  }
}

/**
 * An open file of a uacce device (drivers/misc/uacce/uacce.c): opening it binds the process, closing it unbinds it. A negative
 * errno where it can't be bound.
 */
export function openUacce(spaces: SvaSpaces, device: Device, process: number): OpenFile | number {
  const pasid = spaces.bind(device, process);
  if (pasid < 0) return pasid;
  return {
    kind: 'other',
    refs: 0,
    release: () => {
      spaces.unbind(device, process);
    },
  };
}
