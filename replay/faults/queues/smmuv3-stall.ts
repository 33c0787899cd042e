import { SMMUV3_EVENT, smmuv3EventRecords } from '../../../traces/dialects/records/smmuv3-records.ts';
import { smmuv3Dialect } from '../../../traces/dialects/smmuv3.ts';
import { DIALECT } from '../../../traces/schema.ts';
import type { RequesterId } from '../../../traces/units.ts';
import { FAULT_FLAG, permOf } from '../device-fault.ts';
import type { DeviceFault } from '../device-fault.ts';
import { RESPONSE } from '../page-response.ts';
import type { PageRequestQueue, QueueHost, Taken } from './page-request-queue.ts';
import { commandWords } from './response-command.ts';

/** CMD_RESUME: retry, or abort. */
const RETRY = 1;
const ABORT = 2;

/** Events that drivers/iommu/arm/arm-smmu-v3, arm_smmu_handle_event, looks at; all others are only logged. */
const HANDLED: ReadonlySet<number> = new Set([
  SMMUV3_EVENT.badSte,
  SMMUV3_EVENT.streamDisabled,
  SMMUV3_EVENT.badSubstreamId,
  SMMUV3_EVENT.badCd,
  SMMUV3_EVENT.translation,
  SMMUV3_EVENT.addressSize,
  SMMUV3_EVENT.access,
  SMMUV3_EVENT.permission,
]);

/** A stalled transaction is a group of its own, told apart by its tag. */
function take(record: readonly bigint[], host: QueueHost): Taken {
  const event = smmuv3EventRecords.decode(record);
  if (event.type === 'undefined') return { kind: 'nothing', why: 'not an event' };
  if (!HANDLED.has(event.id)) return { kind: 'nothing', why: 'logged' };
  const { address, instruction, privileged, read, sid, ssid, ssv, stage2, stall, tag } = event;
  if (!host.knows(sid)) return { kind: 'nothing', why: 'unknown stream' };
  if (!stall) {
    const virtual = stage2 ? undefined : host.virtualStream?.(sid);
    if (virtual === undefined) return { kind: 'nothing', why: 'not stalled: logged' };
    const [first = 0n, ...others] = record;
    return { kind: 'event', record: [BigInt.asUintN(32, first) | (BigInt(virtual) << 32n), ...others] };
  }
  return {
    kind: 'report',
    rid: sid,
    fault: {
      flags: FAULT_FLAG.last | (ssv ? FAULT_FLAG.pasidValid : 0),
      pasid: ssv ? ssid : 0,
      grpid: tag,
      perm: permOf({ read, write: !read, execute: instruction, privileged }),
      addr: address,
    },
  };
}

function respond(rid: RequesterId, fault: DeviceFault, code: number): readonly bigint[] {
  const response = code === RESPONSE.success ? RETRY : ABORT;
  return commandWords(smmuv3Dialect, 'resume', {
    secure: false,
    response,
    sid: rid,
    tag: fault.grpid,
  });
}

/** Stalls in SMMUv3's event queue: transactions wait in the SMMU, and none of their records is dropped (Arm IHI 0070, 7.2). */
export const smmuv3Stall: PageRequestQueue = {
  name: 'smmuv3-stall',
  summary: 'SMMUv3 stalled transactions; none is lost, each is a group, answered by CMD_RESUME',
  dialect: DIALECT.smmuv3,
  timing: {
    entries: 1024,
    spare: 0,
    freed: 'taken',
    full: 'hold',
    overflow: 'none',
    lost: 'none',
    discards: false,
    restarted: false,
    denies: false,
    outstanding: 512,
  },
  records: smmuv3EventRecords,
  take,
  respond,
};
