import { AMD_COMMAND, amdCommand } from '../../traces/dialects/amd-fields.ts';
import {
  RISCV_FUNCTION,
  RISCV_OPCODE,
  riscvFunction,
  riscvGroup,
  riscvOpcode,
  riscvPid,
  riscvPidValid,
  riscvResponse,
  riscvRid,
} from '../../traces/dialects/riscv-fields.ts';
import { SMMUV3_OPCODE, smmuOpcode, smmuSid } from '../../traces/dialects/smmuv3-fields.ts';
import { VTD_TYPE, vtdType } from '../../traces/dialects/vtd-fields.ts';
import { DIALECT } from '../../traces/schema.ts';
import type { RequesterId } from '../../traces/units.ts';

/** What a driver answers to a page request group. */
export const RESPONSE = { success: 0, invalid: 1, failure: 2 } as const;

/** One object is reused for all commands. */
export interface PageResponse {
  rid: RequesterId;
  /** -1: a request without PASID. */
  pasid: number;
  group: number;
  /** `RESPONSE` value. */
  code: number;
}

export function pageResponse(): PageResponse {
  return { rid: -1, pasid: -1, group: -1, code: RESPONSE.success };
}

/** Codes of PCIe 10.4.2.2 as VT-d (6.5.2.11), AMD (COMPLETE_PPR_REQUEST) and RISC-V (ATS.PRGR) write them: 0 success, 1 invalid, 15 failure. */
function codeOfPcie(code: number): number {
  return code === 0 ? RESPONSE.success : code === 1 ? RESPONSE.invalid : RESPONSE.failure;
}

/** Fills `response` from a command's int32 halves; false if the command answers no page request. */
export function readPageResponse(
  response: PageResponse,
  dialect: number,
  w0Lo: number,
  w0Hi: number,
  w1Lo: number,
  w1Hi: number,
): boolean {
  switch (dialect) {
    case DIALECT.vtd:
      if (vtdType(w0Lo) !== VTD_TYPE.pageResponse) return false;
      response.rid = w0Lo >>> 16;
      response.pasid = (w0Lo & 0x10) !== 0 ? w0Hi & 0xf_ffff : -1;
      response.group = (w1Lo >>> 3) & 0x1ff;
      response.code = codeOfPcie((w0Lo >>> 12) & 15);
      return true;
    case DIALECT.smmuv3:
      if (smmuOpcode(w0Lo) !== SMMUV3_OPCODE.priResp) return false;
      response.rid = smmuSid(w0Hi);
      response.pasid = (w0Lo & 0x800) !== 0 ? w0Lo >>> 12 : -1;
      response.group = w1Lo & 0x1ff;
      // RESP: 0 deny (a response failure), 1 fail (an invalid request), 2 success
      response.code = [RESPONSE.failure, RESPONSE.invalid, RESPONSE.success][(w1Lo >>> 12) & 3] ?? RESPONSE.failure;
      return true;
    case DIALECT.amd:
      if (amdCommand(w0Hi) !== AMD_COMMAND.completePpr) return false;
      response.rid = w0Lo & 0xffff;
      response.pasid = (w1Lo & 4) !== 0 ? w0Hi & 0xf_ffff : -1;
      response.group = w1Hi & 0x1ff;
      response.code = codeOfPcie((w1Hi >>> 12) & 15);
      return true;
    case DIALECT.riscv:
      if (riscvOpcode(w0Lo) !== RISCV_OPCODE.ats || riscvFunction(w0Lo) !== RISCV_FUNCTION.prgr) return false;
      response.rid = riscvRid(w0Hi);
      response.pasid = riscvPidValid(w0Hi) ? riscvPid(w0Lo) : -1;
      response.group = riscvGroup(w1Hi);
      response.code = codeOfPcie(riscvResponse(w1Hi));
      return true;
    default:
      return false;
  }
}
