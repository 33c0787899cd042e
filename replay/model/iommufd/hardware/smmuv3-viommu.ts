import type { NestedDomain } from '../backend.ts';
import type { Device } from '../device.ts';
import { ERRNO } from '../errno.ts';
import { HWPT_FLAG } from '../hwpt.ts';
import { allEntries } from '../invalidate-entries.ts';
import type { DriverData, InvalidateRequest } from '../parts.ts';
import { StructView } from '../struct-view.ts';
import type { Viommu } from '../viommu.ts';
import type { ViommuBackend, ViommuDriver } from '../viommu-driver.ts';

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

/** Commands that a guest's list may hold (arm_vsmmu_convert_user_cmd). Those with a stream id name a vDEVICE. */
const TLB_COMMANDS: ReadonlySet<number> = new Set([0x10, 0x11, 0x12, 0x13, 0x30]);
const STREAM_COMMANDS: ReadonlySet<number> = new Set([0x05, 0x06, 0x40]);

class Smmuv3Nested implements NestedDomain {
  readonly viommu: Viommu;
  readonly #config: bigint;

  constructor(viommu: Viommu, config: bigint) {
    this.viommu = viommu;
    this.#config = config;
  }

  /** Only stage 1 needs the stream id that the guest knows the device by. */
  attach(device: Device): number {
    if (this.#config !== STE.stage1) return 0;
    return this.viommu.virtualIdOf(device) === undefined ? -ERRNO.ENOENT : 0;
  }
}

/** arm_smmu_validate_vste: what translation a guest's entry asks for, or a negative errno. An invalid one aborts. */
function configOf(bytes: Uint8Array): bigint | number {
  const view = new StructView(bytes);
  const [word0, word1] = [view.u64(0), view.u64(8)];
  if ((word0 & 1n) === 0n) return STE.abort;
  if ((word0 & ~STE.word0) !== 0n || (word1 & ~STE.word1) !== 0n) return -ERRNO.EIO;
  const config = (word0 >> 1n) & 7n;
  if (config !== STE.abort && config !== STE.bypass && config !== STE.stage1) return -ERRNO.EIO;
  return ((word1 >> 28n) & 3n) > 1n ? -ERRNO.EIO : config;
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
    const config = configOf(bytes);
    return typeof config === 'number' ? config : new Smmuv3Nested(this.#viommu, config);
  }

  invalidate(request: InvalidateRequest): { readonly done: number; readonly ret: number } {
    // The count is not touched where the allocation fails.
    if (request.count > MAX_COMMANDS) return { done: request.count, ret: -ERRNO.ENOMEM };
    if (request.type !== INVALIDATE_TYPE) return { done: 0, ret: -ERRNO.EINVAL };
    const entries = allEntries(request, COMMAND_BYTES);
    if (typeof entries === 'number') return { done: 0, ret: entries };
    for (const [done, entry] of entries.entries())
      if (!this.#known(new StructView(entry))) return { done, ret: -ERRNO.EIO };
    return { done: entries.length, ret: 0 };
  }

  destroy(): void {
    // Nothing beside the nesting parent's VMID.
  }

  #known(command: StructView): boolean {
    const opcode = command.u32(0) & 0xff;
    return (
      TLB_COMMANDS.has(opcode) || (STREAM_COMMANDS.has(opcode) && this.#viommu.vdevices.has(BigInt(command.u32(4))))
    );
  }
}

/** A guest's SMMU on a second-stage parent (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c). */
export const smmuv3Viommus: ViommuBackend = {
  types: [VIOMMU_TYPE],
  create: (viommu) => new Smmuv3Viommu(viommu),
};
