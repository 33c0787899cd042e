import { riscvRequestRecords } from '../../../traces/dialects/records/riscv-records.ts';
import { riscvDialect } from '../../../traces/dialects/riscv.ts';
import { DIALECT } from '../../../traces/schema.ts';
import type { RequesterId } from '../../../traces/units.ts';
import { FAULT_FLAG, permOf } from '../device-fault.ts';
import type { DeviceFault } from '../device-fault.ts';
import { RESPONSE } from '../page-response.ts';
import type { PageRequestQueue, QueueHost, Taken } from './page-request-queue.ts';
import { commandWords, pcieCode } from './response-command.ts';

function respond(rid: RequesterId, fault: DeviceFault, code: number): readonly bigint[] {
  const pidValid = (fault.flags & FAULT_FLAG.pasidValid) !== 0;
  return commandWords(riscvDialect, 'ats-prgr', {
    pid: pidValid ? fault.pasid : 0,
    pidValid,
    segmentValid: rid > 0xffff,
    rid: rid & 0xffff,
    segment: (rid >>> 16) & 0xff,
    group: fault.grpid,
    code: pcieCode(code),
    destination: rid & 0xffff,
  });
}

/** As the specification asks; Linux 7.2 has no driver for this queue. */
function take(record: readonly bigint[], host: QueueHost): Taken {
  const request = riscvRequestRecords.decode(record);
  if (request.type === 'undefined') return { kind: 'nothing', why: 'not a page request' };
  const { address, device, group, last, pid, pidValid, read, write } = request;
  if (last && !read && !write) return { kind: 'nothing', why: 'stop marker' };
  const fault: DeviceFault = {
    flags: (last ? FAULT_FLAG.last : 0) | (pidValid ? FAULT_FLAG.pasidValid | FAULT_FLAG.needsPasid : 0),
    pasid: pid,
    grpid: group,
    perm: permOf(request),
    addr: address,
  };
  if (host.knows(device)) return { kind: 'report', rid: device, fault };
  const why = 'unknown device';
  return last ? { kind: 'answer', command: respond(device, fault, RESPONSE.invalid), why } : { kind: 'nothing', why };
}

/** The page-request queue of the RISC-V IOMMU. */
export const riscvPq: PageRequestQueue = {
  name: 'riscv-pq',
  summary:
    'RISC-V page-request queue; overflow answers success until pqof is cleared; no driver in Linux yet, as VT-d is driven',
  dialect: DIALECT.riscv,
  timing: {
    entries: 2048,
    spare: 1,
    freed: 'pass',
    full: 'drop',
    overflow: 'until-drained',
    lost: 'success',
    discards: true,
    restarted: false,
    denies: false,
    outstanding: 2048,
  },
  records: riscvRequestRecords,
  take,
  respond,
};
