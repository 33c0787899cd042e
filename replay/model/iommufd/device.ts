import type { Backend, DeviceTraits } from './backend.ts';
import type { Context } from './context.ts';
import { ERRNO } from './errno.ts';
import { HwptPaging, pagingOf } from './hwpt.ts';
import type { Hwpt } from './hwpt.ts';
import { allocPaging } from './hwpt-paging-alloc.ts';
import type { Nesting } from './intents.ts';
import type { Ioas } from './ioas.ts';
import type { IommufdObject } from './objects.ts';
import type { SvaDomain } from './sva.ts';

/** PASID of RID attachments (IOMMU_NO_PASID). */
export const NO_PASID = 0;

interface Attachment {
  readonly hwpt: Hwpt;
  readonly devices: Set<Device>;
}

/** Devices that can't be told apart share one: they all attach to the same HWPT (struct iommufd_group). */
export class DeviceGroup {
  readonly attachments = new Map<number, Attachment>();
  /** PASIDs that go through page tables of processes: none of them is in `attachments`. */
  readonly sva = new Map<number, SvaDomain>();

  get pasidsInUse(): boolean {
    if (this.sva.size > 0) return true;
    for (const pasid of this.attachments.keys()) if (pasid !== NO_PASID) return true;
    return false;
  }
}

/** A device bound to a context. Its driver owns one extra user, so that DESTROY is EBUSY while it is bound. */
export class Device implements IommufdObject {
  readonly type = 'device';
  id = 0;
  users = 2;
  readonly context: Context;
  readonly group: DeviceGroup;
  readonly traits: DeviceTraits;
  /** The driver's own state of the device (mock: its cache words). */
  readonly driverData: unknown;
  /** Called by `unbind` before the id goes: tears the vDEVICE down. */
  onUnbind: (() => void) | undefined = undefined;

  constructor(context: Context, traits: DeviceTraits, group = new DeviceGroup(), driverData?: unknown) {
    this.context = context;
    this.traits = traits;
    this.group = group;
    this.driverData = driverData;
  }

  get backend(): Backend {
    return this.context.backend;
  }

  /** What the device is attached to by `pasid`. */
  attached(pasid = NO_PASID): Hwpt | undefined {
    const attachment = this.group.attachments.get(pasid);
    return attachment?.devices.has(this) === true ? attachment.hwpt : undefined;
  }

  /**
   * Attaches, or replaces what is attached (iommufd_device_change_pt). `ptId` names a HWPT, or an IOAS for an automatic one.
   * The id of the HWPT in use, or a negative errno; after an error nothing has changed.
   */
  change(pasid: number, ptId: number, how: 'attach' | 'replace'): number {
    const object = this.context.objects.get(ptId);
    if (object === undefined) return -ERRNO.ENOENT;
    const paging = this.context.objects.find(ptId, 'hwptPaging') ?? this.context.objects.find(ptId, 'hwptNested');
    if (paging !== undefined) {
      const ret = this.#changeTo(pasid, paging, how);
      return ret < 0 ? ret : paging.id;
    }
    const ioas = this.context.objects.find(ptId, 'ioas');
    if (ioas === undefined) return -ERRNO.EINVAL;
    return this.#changeToAuto(pasid, ioas, how);
  }

  /** Detaches; 0 also where nothing is attached. */
  detach(pasid = NO_PASID): number {
    const attachment = this.group.attachments.get(pasid);
    if (attachment === undefined || !attachment.devices.delete(this)) return 0;
    const { hwpt } = attachment;
    this.context.machine.intents?.detached(this, pasid, hwpt.domain);
    if (attachment.devices.size === 0) {
      this.group.attachments.delete(pasid);
      this.backend.changed?.(this, pasid, undefined);
    }
    hwpt.fault?.drop(hwpt, this, pasid);
    if (pasid === NO_PASID) pagingOf(hwpt).ioas.releaseReserved(this);
    else this.backend.detachPasid?.(this, pasid);
    putHwpt(hwpt);
    return 0;
  }

  /** A PASID for a process's page table: 0, or a negative errno after which nothing has changed (iommu_attach_device_pasid). */
  attachSva(domain: SvaDomain): number {
    const { pasid } = domain;
    if (this.group.attachments.has(pasid) || this.group.sva.has(pasid)) return -ERRNO.EBUSY;
    const ret = this.backend.attachSva?.(this, domain) ?? 0;
    if (ret !== 0) return ret;
    this.group.sva.set(pasid, domain);
    this.backend.changed?.(this, pasid, domain);
    return 0;
  }

  /** The PASID is free again. */
  detachSva(domain: SvaDomain): void {
    if (this.group.sva.get(domain.pasid) !== domain) return;
    this.blockSva(domain);
    this.group.sva.delete(domain.pasid);
  }

  /** The page table is gone, the PASID is still taken. */
  blockSva({ pasid }: SvaDomain): void {
    this.backend.changed?.(this, pasid, undefined);
  }

  /** iommufd_device_unbind: the id goes; attachments were ended before. */
  unbind(): void {
    this.onUnbind?.();
    this.context.objects.remove(this);
  }

  destroy(): void {
    for (const pasid of this.group.attachments.keys()) this.detach(pasid);
  }

  #changeTo(pasid: number, hwpt: Hwpt, how: 'attach' | 'replace'): number {
    return how === 'attach' ? this.attachTo(pasid, hwpt) : this.#replaceBy(pasid, hwpt);
  }

  /** iommufd_hw_pagetable_attach. */
  attachTo(pasid: number, hwpt: Hwpt): number {
    const { attachments } = this.group;
    const old = attachments.get(pasid);
    if (old?.devices.has(this) === true) return -ERRNO.EBUSY;
    if (old !== undefined && old.hwpt !== hwpt) return -ERRNO.EINVAL;
    if (pasid === NO_PASID) {
      const ret = pagingOf(hwpt).ioas.reserveFor(this);
      if (ret !== 0) return ret;
    }
    if (old === undefined) {
      const ret = this.#allowed(pasid, hwpt) || this.#driver(pasid, hwpt, undefined);
      if (ret !== 0) {
        if (pasid === NO_PASID) pagingOf(hwpt).ioas.releaseReserved(this);
        return ret;
      }
      attachments.set(pasid, { hwpt, devices: new Set([this]) });
      this.backend.changed?.(this, pasid, hwpt);
    } else {
      old.devices.add(this);
    }
    hwpt.users++;
    this.#tellAttached(pasid, hwpt);
    return 0;
  }

  /** iommufd_device_do_replace: moves the whole group. */
  #replaceBy(pasid: number, hwpt: Hwpt): number {
    const attachment = this.group.attachments.get(pasid);
    if (attachment === undefined || !attachment.devices.has(this)) return -ERRNO.EINVAL;
    const old = attachment.hwpt;
    if (old === hwpt) return 0;
    const { ioas } = pagingOf(hwpt);
    const oldIoas = pagingOf(old).ioas;
    const moved: Device[] = [];
    const undo = (ret: number): number => {
      if (ioas !== oldIoas) for (const device of moved) ioas.releaseReserved(device);
      return ret;
    };
    if (pasid === NO_PASID && ioas !== oldIoas) {
      for (const device of attachment.devices) {
        const ret = ioas.reserveFor(device);
        if (ret !== 0) return undo(ret);
        moved.push(device);
      }
    }
    const ret = this.#allowed(pasid, hwpt) || this.#driver(pasid, hwpt, old);
    if (ret !== 0) return undo(ret);
    for (const device of attachment.devices) {
      old.fault?.drop(old, device, pasid);
      if (pasid === NO_PASID && ioas !== oldIoas) oldIoas.releaseReserved(device);
    }
    this.group.attachments.set(pasid, { hwpt, devices: attachment.devices });
    for (const device of attachment.devices) device.#tellAttached(pasid, hwpt);
    this.backend.changed?.(this, pasid, hwpt);
    hwpt.users += attachment.devices.size;
    for (let i = attachment.devices.size; i > 0; i--) putHwpt(old);
    return 0;
  }

  #tellAttached(pasid: number, hwpt: Hwpt): void {
    this.context.machine.intents?.attached(this, pasid, hwpt.domain, this.#nesting(hwpt));
  }

  #nesting(hwpt: Hwpt): Nesting | undefined {
    if (hwpt.type !== 'hwptNested') return undefined;
    const { parent, domain } = hwpt;
    return {
      parent: parent.domain,
      iommu: this.traits.iommu,
      translates: domain.translates ?? true,
      deviceTlb: domain.usesDeviceTlb?.(this) ?? false,
    };
  }

  /** iommufd_hwpt_compatible_device, then iommufd_hwpt_pasid_compat. */
  #allowed(pasid: number, hwpt: Hwpt): number {
    if (hwpt.fault !== undefined && this.traits.sharedPageRequests === true) return -ERRNO.EINVAL;
    return this.#pasidCompat(pasid, hwpt);
  }

  /** iommufd_hwpt_pasid_compat: RID and PASIDs together need domains that were allocated for it. */
  #pasidCompat(pasid: number, hwpt: Hwpt): number {
    const { attachments } = this.group;
    if (pasid === NO_PASID) {
      if (hwpt.pasidCompat) return 0;
      for (const used of attachments.keys()) if (used !== NO_PASID) return -ERRNO.EINVAL;
      return 0;
    }
    if (!hwpt.pasidCompat) return -ERRNO.EINVAL;
    const rid = attachments.get(NO_PASID);
    return rid !== undefined && !rid.hwpt.pasidCompat ? -ERRNO.EINVAL : 0;
  }

  #driver(pasid: number, hwpt: Hwpt, old: Hwpt | undefined): number {
    if (pasid !== NO_PASID && pasid >= 2 ** this.traits.pasidBits) return -ERRNO.EINVAL;
    if (this.group.sva.has(pasid)) return -ERRNO.EBUSY;
    if (hwpt.type === 'hwptNested') {
      const ret = hwpt.domain.attach(this, pasid);
      if (ret !== 0) return ret;
    }
    return this.backend.attach(this, pasid, hwpt, old);
  }

  /** iommufd_device_auto_get_domain. */
  #changeToAuto(pasid: number, ioas: Ioas, how: 'attach' | 'replace'): number {
    for (const hwpt of ioas.hwpts.slice()) {
      if (!hwpt.auto) continue;
      const ret = this.#changeTo(pasid, hwpt, how);
      if (ret === -ERRNO.EINVAL) continue;
      return ret < 0 ? ret : hwpt.id;
    }
    const { objects } = this.context;
    const hwpt = allocPaging(this, ioas, 0, undefined, how === 'attach' ? pasid : undefined);
    if (typeof hwpt === 'number') return hwpt;
    if (how === 'replace') {
      const ret = this.#replaceBy(pasid, hwpt);
      if (ret !== 0) {
        objects.remove(hwpt);
        return ret;
      }
    }
    hwpt.auto = true;
    return hwpt.id;
  }
}

/** One attachment less; an automatic HWPT goes with its last. */
export function putHwpt(hwpt: Hwpt): void {
  hwpt.users--;
  if (hwpt instanceof HwptPaging && hwpt.auto && hwpt.users === 1) hwpt.context.objects.remove(hwpt);
}
