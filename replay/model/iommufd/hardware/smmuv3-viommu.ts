import { SMMUV3_COMMAND_WORDS, issuedBeforeRefusal, rewriteSmmuv3 } from '../../smmuv3-guest.ts';
import type { NestedDomain } from '../backend.ts';
import type { Device } from '../device.ts';
import { ERRNO } from '../errno.ts';
import { HWPT_FLAG } from '../hwpt.ts';
import { allEntries } from '../invalidate-entries.ts';
import type { DriverData, InvalidateOutcome, InvalidateRequest } from '../parts.ts';
import { StructView } from '../struct-view.ts';
import type { Viommu } from '../viommu.ts';
import type { ViommuBackend, ViommuDriver } from '../viommu-driver.ts';
import { HW_CAPABILITY } from './hardware-backend.ts';

/** enum iommu_viommu_type, iommu_hwpt_data_type, iommu_hwpt_invalidate_data_type. */
const VIOMMU_TYPE = 1;
const NESTED_TYPE = 2;
const INVALIDATE_TYPE = 1;
/** struct iommu_hwpt_arm_smmuv3 {le64 ste[2]}; struct iommu_viommu_arm_smmuv3_invalidate {le64 cmd[2]}. */
const STE_BYTES = 16;
const COMMAND_BYTES = 16;
/** Beyond it the kernel has no buffer for the array. */
const MAX_COMMANDS = 262_144;

/** Fields of a stream table entry that a guest may set (Arm SMMUv3 spec 5.2). */
const STE = {
  /** V, Config, S1Fmt, S1ContextPtr, S1CDMax. */
  word0: 1n | (7n << 1n) | (3n << 4n) | (((1n << 50n) - 1n) << 6n) | (0x1fn << 59n),
  /** S1DSS, S1CIR, S1COR, S1CSH, S1STALLD, EATS. */
  word1: 3n | (3n << 2n) | (3n << 4n) | (3n << 6n) | (1n << 27n) | (3n << 28n),
  abort: 0n,
  bypass: 4n,
  stage1: 5n,
} as const;

/** What a guest's entry asks for. */
interface GuestEntry {
  /** Stage 1: there is a table of context descriptors; else all passes, or nothing. */
  readonly translates: boolean;
  /** EATS: the device may keep translations. */
  readonly ats: boolean;
}

class Smmuv3Nested implements NestedDomain {
  readonly viommu: Viommu;
  readonly translates: boolean;
  readonly #ats: boolean;

  constructor(viommu: Viommu, { translates, ats }: GuestEntry) {
    this.viommu = viommu;
    this.translates = translates;
    this.#ats = ats;
  }

  /** Only stage 1 needs the stream id that the guest knows the device by. */
  attach(device: Device): number {
    if (!this.translates) return 0;
    return this.viommu.virtualIdOf(device) === undefined ? -ERRNO.ENOENT : 0;
  }

  /** ATS follows the guest's entry: only the guest knows which ATC_INV its changes need (arm_smmu_attach_dev_nested). */
  usesDeviceTlb({ traits }: Device): boolean {
    return this.#ats && (traits.capabilities & HW_CAPABILITY.atsNotSupported) === 0;
  }
}

/** arm_smmu_validate_vste: what a guest's entry asks for, or a negative errno. An invalid one aborts. */
function guestEntry(bytes: Uint8Array): GuestEntry | number {
  const view = new StructView(bytes);
  const [word0, word1] = [view.u64(0), view.u64(8)];
  if ((word0 & 1n) === 0n) return { translates: false, ats: false };
  if ((word0 & ~STE.word0) !== 0n || (word1 & ~STE.word1) !== 0n) return -ERRNO.EIO;
  const config = (word0 >> 1n) & 7n;
  if (config !== STE.abort && config !== STE.bypass && config !== STE.stage1) return -ERRNO.EIO;
  const eats = (word1 >> 28n) & 3n;
  const translates = config === STE.stage1;
  return eats > 1n ? -ERRNO.EIO : { translates, ats: translates && eats === 1n };
}

class Smmuv3Viommu implements ViommuDriver {
  readonly #viommu: Viommu;

  constructor(viommu: Viommu) {
    this.#viommu = viommu;
  }

  allocNested(_device: Device, flags: number, data: DriverData): NestedDomain | number {
    if ((flags & ~HWPT_FLAG.pasid) !== 0) return -ERRNO.EOPNOTSUPP;
    if (data.type !== NESTED_TYPE) return -ERRNO.EINVAL;
    const bytes = data.read(STE_BYTES, STE_BYTES);
    if (typeof bytes === 'number') return bytes;
    const entry = guestEntry(bytes);
    return typeof entry === 'number' ? entry : new Smmuv3Nested(this.#viommu, entry);
  }

  invalidate(request: InvalidateRequest): InvalidateOutcome {
    // The count is not touched where the allocation fails.
    if (request.count > MAX_COMMANDS) return { done: request.count, ret: -ERRNO.ENOMEM, issued: 0 };
    if (request.type !== INVALIDATE_TYPE) return { done: 0, ret: -ERRNO.EINVAL };
    const entries = allEntries(request, COMMAND_BYTES);
    if (typeof entries === 'number') return { done: 0, ret: entries };
    const guest = { vmid: 0, sidOf: (virtual: number) => (this.#viommu.vdevices.has(BigInt(virtual)) ? 0 : -1) };
    const words = new Int32Array(SMMUV3_COMMAND_WORDS);
    for (const [done, entry] of entries.entries()) {
      const command = new StructView(entry);
      for (let i = 0; i < SMMUV3_COMMAND_WORDS; i++) words[i] = command.u32(i * 4);
      if (!rewriteSmmuv3(words, 0, guest)) return { done, ret: -ERRNO.EIO, issued: issuedBeforeRefusal(done) };
    }
    return { done: entries.length, ret: 0 };
  }

  destroy(): void {
    // Nothing beside the nesting parent's VMID.
  }
}

/** A guest's SMMU on a second-stage parent (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c). */
export const smmuv3Viommus: ViommuBackend = {
  types: [VIOMMU_TYPE],
  create: (viommu) => new Smmuv3Viommu(viommu),
};
