import { smmuIsTlbi } from '../../traces/dialects/smmuv3-fields.ts';
import { AMD_COMMAND, amdCommand } from '../../traces/dialects/amd-fields.ts';
import { dialectById } from '../../traces/dialects/dialects.ts';
import { RISCV_OPCODE, riscvOpcode } from '../../traces/dialects/riscv-fields.ts';
import { VTD_TYPE, vtdType } from '../../traces/dialects/vtd-fields.ts';
import { DIALECT } from '../../traces/schema.ts';
import type { Architecture } from '../hardware/profile.ts';
import { applyAmd } from './amd-effects.ts';
import { COMMAND_ERROR } from './command-error.ts';
import type { HardwareCaches } from './hardware-caches.ts';
import { applyRiscv } from './riscv-effects.ts';
import { applySmmuv3 } from './smmuv3-effects.ts';
import { applyVirtio } from './virtio-effects.ts';
import { applyVtd } from './vtd-effects.ts';

/** What the commands of one architecture do to its caches. */
export interface Effects {
  /** The `dialect` column of its commands. */
  readonly dialect: number;
  /** Drops what one command names; returns how many entries went from all caches, or a `COMMAND_ERROR`. */
  readonly apply: (
    caches: HardwareCaches,
    w0Lo: number,
    w0Hi: number,
    w1Lo: number,
    w1Hi: number,
    w2Lo: number,
    w2Hi: number,
  ) => number;
  /** Type number of a command in its dialect. */
  readonly kind: (w0Lo: number, w0Hi: number) => number;
  readonly kindName: (kind: number) => string;
  /** True for commands whose purpose is to drop translations: those that are wasted if they drop none. */
  readonly dropsTranslations: (w0Lo: number, w0Hi: number) => boolean;
  /** The architecture's name for a refused command. */
  readonly errorName: (error: number) => string;
}

function effects(
  dialect: number,
  parts: Pick<Effects, 'apply' | 'dropsTranslations' | 'errorName'> & Partial<Pick<Effects, 'kind'>>,
): Effects {
  const known = dialectById(dialect)!;
  return {
    dialect,
    kind: (w0Lo, w0Hi) => known.typeNumber(w0Lo, w0Hi),
    kindName: (kind) => known.typeNames[kind] ?? 'undefined',
    ...parts,
  };
}

const VIRTIO_STATUS: { readonly [error: number]: string } = {
  [COMMAND_ERROR.undefinedType]: 'VIRTIO_IOMMU_S_UNSUPP',
  [COMMAND_ERROR.noSuchDomain]: 'VIRTIO_IOMMU_S_NOENT',
};

/** By architecture of the hardware profile. */
export const EFFECTS: Readonly<Record<Architecture, Effects>> = {
  vtd: effects(DIALECT.vtd, {
    apply: applyVtd,
    kind: vtdType,
    dropsTranslations: (w0Lo) => {
      const type = vtdType(w0Lo);
      return type === VTD_TYPE.iotlb || type === VTD_TYPE.pasidIotlb;
    },
    // invalidation queue error: VT-d spec 6.5.2.10, FSTS.IQE
    errorName: () => 'IQE',
  }),
  smmuv3: effects(DIALECT.smmuv3, {
    apply: applySmmuv3,
    dropsTranslations: (w0Lo) => smmuIsTlbi(w0Lo),
    // CMDQ_CONS.ERR 1: Arm IHI 0070 7.1
    errorName: () => 'CERROR_ILL',
  }),
  amd: effects(DIALECT.amd, {
    apply: applyAmd,
    dropsTranslations: (_, w0Hi) => amdCommand(w0Hi) === AMD_COMMAND.pages || amdCommand(w0Hi) === AMD_COMMAND.all,
    errorName: () => 'ILLEGAL_COMMAND_ERROR',
  }),
  riscv: effects(DIALECT.riscv, {
    apply: applyRiscv,
    dropsTranslations: (w0Lo) => riscvOpcode(w0Lo) === RISCV_OPCODE.iotinval,
    // cqcsr.cmd_ill
    errorName: () => 'cmd_ill',
  }),
  virtio: effects(DIALECT.virtio, {
    apply: applyVirtio,
    // an unmap has another purpose
    dropsTranslations: () => false,
    errorName: (error) => VIRTIO_STATUS[error] ?? 'VIRTIO_IOMMU_S_INVAL',
  }),
};
