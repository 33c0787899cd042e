import { smmuv3RequestRecords } from '../../../traces/dialects/records/smmuv3-records.ts';
import { smmuv3Dialect } from '../../../traces/dialects/smmuv3.ts';
import { DIALECT } from '../../../traces/schema.ts';
import type { RequesterId } from '../../../traces/units.ts';
import { FAULT_FLAG } from '../device-fault.ts';
import type { DeviceFault } from '../device-fault.ts';
import { RESPONSE } from '../page-response.ts';
import type { PageRequestQueue, Taken } from './page-request-queue.ts';
import { commandWords } from './response-command.ts';

/** PRI_RESP: deny (a response failure), fail (an invalid request), success. */
const DENY = 0;
const FAIL = 1;
const SUCCESS = 2;

function respond(rid: RequesterId, fault: DeviceFault, code: number): readonly bigint[] {
  const ssv = (fault.flags & FAULT_FLAG.pasidValid) !== 0;
  return commandWords(smmuv3Dialect, 'pri-resp', {
    ssv,
    secure: false,
    ssid: ssv ? fault.pasid : 0,
    sid: rid,
    group: fault.grpid,
    response: code === RESPONSE.success ? SUCCESS : code === RESPONSE.invalid ? FAIL : DENY,
  });
}

/** drivers/iommu/arm/arm-smmu-v3, arm_smmu_handle_ppr: every group is logged and denied. */
function take(record: readonly bigint[]): Taken {
  const request = smmuv3RequestRecords.decode(record);
  if (request.type === 'undefined' || !request.last) return { kind: 'nothing', why: 'logged' };
  const { address, group, sid, ssid, ssv } = request;
  const flags = FAULT_FLAG.last | (ssv ? FAULT_FLAG.pasidValid : 0);
  const fault: DeviceFault = { flags, pasid: ssid, grpid: group, perm: 0, addr: address };
  return { kind: 'answer', command: respond(sid, fault, RESPONSE.failure), why: 'Linux serves no page requests here' };
}

/** The page request queue of SMMUv3 as Linux drives it. */
export const smmuv3Priq: PageRequestQueue = {
  name: 'smmuv3-priq',
  summary: 'SMMUv3 page request queue; Linux denies every group',
  dialect: DIALECT.smmuv3,
  timing: {
    entries: 1024,
    spare: 0,
    freed: 'taken',
    full: 'drop',
    overflow: 'until-drained',
    lost: 'success',
    discards: false,
    restarted: false,
    denies: true,
    outstanding: 512,
  },
  records: smmuv3RequestRecords,
  take,
  respond,
};
