import { amdDialect } from '../../../traces/dialects/amd.ts';
import { amdRequestRecords } from '../../../traces/dialects/records/amd-records.ts';
import { DIALECT } from '../../../traces/schema.ts';
import type { RequesterId } from '../../../traces/units.ts';
import { FAULT_FLAG, permOf } from '../device-fault.ts';
import type { DeviceFault } from '../device-fault.ts';
import { RESPONSE } from '../page-response.ts';
import type { PageRequestQueue, QueueHost, Taken } from './page-request-queue.ts';
import { commandWords, pcieCode } from './response-command.ts';

function respond(rid: RequesterId, fault: DeviceFault, code: number): readonly bigint[] {
  return commandWords(amdDialect, 'complete-ppr-request', {
    device: rid,
    pasid: fault.pasid,
    guest: (fault.flags & FAULT_FLAG.pasidValid) !== 0,
    tag: fault.grpid,
    status: pcieCode(code),
  });
}

/** drivers/iommu/amd/ppr.c, iommu_call_iopf_notifier: what is malformed is answered at once, also where it is not the last. */
function take(record: readonly bigint[], host: QueueHost): Taken {
  const request = amdRequestRecords.decode(record);
  if (request.type === 'undefined') return { kind: 'nothing', why: 'unknown type' };
  const { address, device, execute, guest, last, pasid, read, reservedBit, tag, user, write } = request;
  if (!host.knows(device)) return { kind: 'nothing', why: 'unknown device' };
  const fault: DeviceFault = {
    flags: FAULT_FLAG.pasidValid | FAULT_FLAG.needsPasid | (last ? FAULT_FLAG.last : 0),
    pasid,
    grpid: tag,
    perm: permOf({ read, write, execute, privileged: !user }),
    addr: address,
  };
  const fail = (why: string): Taken => ({ kind: 'answer', command: respond(device, fault, RESPONSE.failure), why });
  if (!guest) return fail('without PASID');
  if (reservedBit) return fail('malformed');
  if (pasid === 0 || pasid >= host.maxPasids(device)) return fail('PASID out of range');
  return { kind: 'report', rid: device, fault };
}

/** The peripheral page request log of AMD: 8 KiB of entries of 16 bytes. */
export const amdPpr: PageRequestQueue = {
  name: 'amd-ppr',
  summary:
    'AMD peripheral page request log; overflow stops it, entries are lost without answer until Linux restarts it',
  dialect: DIALECT.amd,
  timing: {
    entries: 512,
    spare: 1,
    // the head goes on before an entry is handled
    freed: 'taken',
    full: 'drop',
    overflow: 'until-drained',
    lost: 'none',
    discards: false,
    restarted: true,
    denies: false,
    outstanding: 32,
  },
  records: amdRequestRecords,
  take,
  respond,
};
