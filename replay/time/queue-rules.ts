import { DIALECT } from '../../traces/schema.ts';
import type { Nanoseconds } from '../../traces/units.ts';

/** How an operating system's driver shares one command queue among CPUs: Linux, one set of rules for each dialect. */
export interface QueueRules {
  /** Entries of the ring as the driver makes it. */
  readonly entries: number;
  /** Entries that must stay free beside those that a submission writes. */
  readonly spare: number;
  /**
   * `lock`: one spin lock, served in the order of arrival. `reservation`: places are reserved without a lock, entries are written
   * side by side, and whoever came first writes the tail for all that follow (Documentation of arm_smmu_cmdq_issue_cmdlist).
   */
  readonly order: 'lock' | 'reservation';
  /** Each command takes the lock and writes the tail by itself. */
  readonly eachAlone: boolean;
  /** Entries are free again when their submitter has seen them done (`seen`), or when the hardware has taken them (`taken`). */
  readonly freed: 'seen' | 'taken';
  /** A submitter that finds the ring full gives the lock back and comes again, or keeps it until there is room. */
  readonly full: 'comes-again' | 'keeps-lock';
  /**
   * Where a submitter looks for its completion: under the lock, which it takes and gives back for each look (`lock-each-look`);
   * without ever giving it back (`keeps-lock`); or without it (`free`).
   */
  readonly wait: 'lock-each-look' | 'keeps-lock' | 'free';
  /** Time between two looks where the driver sets it; undefined: as long as a look takes. */
  readonly lookNs: Nanoseconds | undefined;
  /** A look reads a register: in a guest whose registers are emulated it exits. */
  readonly lookReadsRegister: boolean;
}

/** drivers/iommu/intel/dmar.c, qi_submit_sync: n + 2 free entries for n commands and a wait; qi_check_fault under q_lock. */
const VTD: QueueRules = {
  entries: 256,
  spare: 1,
  order: 'lock',
  eachAlone: false,
  freed: 'seen',
  full: 'comes-again',
  wait: 'lock-each-look',
  lookNs: undefined,
  lookReadsRegister: true,
};

/** drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_cmdq_issue_cmdlist. IDR1.CMDQS says the size: 256 to 2^19. */
const SMMUV3: QueueRules = {
  entries: 256,
  spare: 0,
  order: 'reservation',
  eachAlone: false,
  freed: 'taken',
  full: 'comes-again',
  wait: 'free',
  lookNs: undefined,
  lookReadsRegister: true,
};

/** drivers/iommu/amd/iommu.c, __iommu_queue_command_sync (waits while <= 0x20 bytes are left) and wait_on_sem (udelay(1)). */
const AMD: QueueRules = {
  entries: 512,
  spare: 3,
  order: 'lock',
  eachAlone: true,
  freed: 'taken',
  full: 'keeps-lock',
  wait: 'free',
  lookNs: 1000,
  lookReadsRegister: false,
};

/** Until Linux 7.0 ("iommu/amd: move wait_on_sem() out of spinlock") the lock was held for the whole wait. */
const AMD_LOCKED: QueueRules = { ...AMD, wait: 'keeps-lock' };

/** drivers/iommu/virtio-iommu.c, viommu_sync_req: kicks and looks for used buffers under request_lock. */
const VIRTIO: QueueRules = {
  entries: 256,
  spare: 0,
  order: 'lock',
  eachAlone: false,
  freed: 'taken',
  full: 'keeps-lock',
  wait: 'keeps-lock',
  lookNs: undefined,
  lookReadsRegister: false,
};

/** drivers/iommu/riscv/iommu.c, riscv_iommu_queue_send: places without a lock, then each writes the tail when it is its turn. */
const RISCV: QueueRules = {
  entries: 8192,
  spare: 0,
  order: 'lock',
  eachAlone: true,
  freed: 'taken',
  full: 'keeps-lock',
  wait: 'free',
  lookNs: undefined,
  lookReadsRegister: true,
};

/** Rules of a dialect's driver in a version of Linux (major x 100 + minor). */
export function queueRules(dialect: number, kernel: number): QueueRules {
  if (dialect === DIALECT.smmuv3) return SMMUV3;
  if (dialect === DIALECT.amd) return kernel < 700 ? AMD_LOCKED : AMD;
  if (dialect === DIALECT.virtio) return VIRTIO;
  if (dialect === DIALECT.riscv) return RISCV;
  return VTD;
}
