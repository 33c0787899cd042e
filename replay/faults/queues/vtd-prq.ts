import { vtdRequestRecords } from '../../../traces/dialects/records/vtd-records.ts';
import { vtdDialect } from '../../../traces/dialects/vtd.ts';
import { DIALECT } from '../../../traces/schema.ts';
import type { RequesterId } from '../../../traces/units.ts';
import { FAULT_FLAG, permOf } from '../device-fault.ts';
import type { DeviceFault } from '../device-fault.ts';
import { RESPONSE } from '../page-response.ts';
import type { PageRequestQueue, QueueHost, Taken } from './page-request-queue.ts';
import { commandWords, pcieCode } from './response-command.ts';

function respond(rid: RequesterId, fault: DeviceFault, code: number): readonly bigint[] {
  return commandWords(vtdDialect, 'page-response', {
    pasidPresent: (fault.flags & FAULT_FLAG.pasidValid) !== 0,
    code: pcieCode(code),
    rid,
    pasid: fault.pasid,
    group: fault.grpid,
  });
}

/** drivers/iommu/intel/prq.c, prq_event_thread: what is refused is answered only if it is the last of its group. */
function take(record: readonly bigint[], host: QueueHost): Taken {
  const request = vtdRequestRecords.decode(record);
  // the driver does not look at the type
  if (request.type === 'undefined') return { kind: 'nothing', why: 'not a page request' };
  const { address, execute, group, last, pasid, pasidPresent, privileged, read, rid, write } = request;
  const fault: DeviceFault = {
    flags: (last ? FAULT_FLAG.last : 0) | (pasidPresent ? FAULT_FLAG.pasidValid | FAULT_FLAG.needsPasid : 0),
    pasid,
    grpid: group,
    perm: permOf(request),
    addr: address,
  };
  const bad = (why: string): Taken =>
    last ? { kind: 'answer', command: respond(rid, fault, RESPONSE.invalid), why } : { kind: 'nothing', why };
  if (!isCanonical(address, host.addressBits)) return bad('address is not canonical');
  if (privileged && (read || write)) return bad('privileged');
  if (execute && read) return bad('execute with read');
  if (last && !read && !write) return { kind: 'nothing', why: 'stop marker' };
  if (!host.knows(rid)) return bad('unknown requester');
  return { kind: 'report', rid, fault };
}

function isCanonical(address: bigint, bits: number): boolean {
  return BigInt.asIntN(bits, address) === BigInt.asIntN(64, address);
}

/** The page request queue of VT-d: 64 KiB of records of 32 bytes. */
export const vtdPrq: PageRequestQueue = {
  name: 'vtd-prq',
  summary: 'VT-d page request queue; overflow answers success until Linux has drained it and dropped partial groups',
  dialect: DIALECT.vtd,
  timing: {
    entries: 2048,
    spare: 1,
    // the head is written once, behind all that was there when the thread began
    freed: 'pass',
    full: 'drop',
    overflow: 'until-drained',
    lost: 'success',
    discards: true,
    restarted: false,
    denies: false,
    // pci_enable_pri with the number of records
    outstanding: 2048,
  },
  records: vtdRequestRecords,
  take,
  respond,
};
