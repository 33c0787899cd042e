import { Device, NO_PASID } from './device.ts';
import type { DeviceGroup } from './device.ts';
import type { DeviceTraits } from './backend.ts';
import type { Context } from './context.ts';
import { ERRNO } from './errno.ts';
import type { Hwpt } from './hwpt.ts';

/**
 * Scalable I/O virtualisation: a part of a function that user space is given as a device of its own. Its DMA carries the
 * function's requester id and a PASID that is its alone; the RID is nobody's but the parent driver's.
 */
export class PasidDevice {
  readonly device: Device;
  readonly pasid: number;

  /** `group`: of the function, shared by all its parts. Undefined: the PASID is none, or is beyond what the function has. */
  static on(
    context: Context,
    traits: DeviceTraits,
    group: DeviceGroup,
    pasid: number,
    driverData?: unknown,
  ): PasidDevice | undefined {
    if (pasid === NO_PASID || pasid >= 2 ** traits.pasidBits) return undefined;
    // The function's regions bind only what is attached to its RID.
    const device = context.objects.add(new Device(context, { ...traits, reserved: [] }, group, driverData));
    return new PasidDevice(device, pasid);
  }

  private constructor(device: Device, pasid: number) {
    this.device = device;
    this.pasid = pasid;
  }

  get attached(): Hwpt | undefined {
    return this.device.attached(this.pasid);
  }

  /** Attaches, or replaces what is attached; the id of the HWPT in use, or a negative errno. */
  attach(ptId: number): number {
    if (this.attached === undefined && this.device.group.attachments.has(this.pasid)) return -ERRNO.EBUSY;
    return this.device.change(this.pasid, ptId, this.attached === undefined ? 'attach' : 'replace');
  }

  detach(): number {
    return this.device.detach(this.pasid);
  }

  unbind(): void {
    this.device.detach(this.pasid);
    this.device.unbind();
  }
}
