import { SMMUV3_OPCODE, smmuOpcode, smmuSid } from '../../traces/dialects/smmuv3-fields.ts';
import type { RequesterId } from '../../traces/units.ts';
import type { CommandSink } from './command-sink.ts';

/** The host's numbers behind those of a guest. */
export interface Smmuv3Guest {
  /** VMID of the second stage that all of the guest is on. */
  readonly vmid: number;
  /** Stream id of the device that the guest knows by `virtual` (unsigned); -1 where it has no such device. */
  sidOf(virtual: number): RequesterId;
}

/** int32 words of a command. */
export const SMMUV3_COMMAND_WORDS = 4;

/** Commands that the host hands over at once, each time with a SYNC behind (CMDQ_BATCH_ENTRIES - 1). */
export const SMMUV3_GUEST_BATCH = 63;

/**
 * Makes the guest's command at `words[at]` one that the host can give to its SMMU, in place: the VMID becomes the guest's own,
 * the stream id that of the real device, TLBI_NSNH_ALL a TLBI_NH_ALL of the VMID. All other bits stay. False: the host does not
 * take it (EIO) and the words are as they were. drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c, arm_vsmmu_convert_user_cmd.
 */
export function rewriteSmmuv3(words: Int32Array, at: number, guest: Smmuv3Guest): boolean {
  const w0Lo = words[at]!; // the caller has four words there
  const w0Hi = words[at + 1]!;
  switch (smmuOpcode(w0Lo)) {
    case SMMUV3_OPCODE.tlbiNsnhAll:
      words[at] = SMMUV3_OPCODE.tlbiNhAll;
      words[at + 1] = guest.vmid;
      words[at + 2] = 0;
      words[at + 3] = 0;
      return true;
    case SMMUV3_OPCODE.tlbiNhAll:
    case SMMUV3_OPCODE.tlbiNhAsid:
    case SMMUV3_OPCODE.tlbiNhVa:
    case SMMUV3_OPCODE.tlbiNhVaa:
      words[at + 1] = (w0Hi & ~0xffff) | guest.vmid;
      return true;
    case SMMUV3_OPCODE.cfgiCd:
    case SMMUV3_OPCODE.cfgiCdAll:
    case SMMUV3_OPCODE.atcInv: {
      const sid = guest.sidOf(smmuSid(w0Hi));
      if (sid < 0) return false;
      words[at + 1] = sid;
      return true;
    }
    default:
      return false;
  }
}

/**
 * Runs a guest's list of `count` commands as the host does (arm_vsmmu_cache_invalidate): rewritten in order, in batches of 63
 * with a SYNC each, the rest with the last. `words` is written over. Returns how many the host reports as done: all, or the
 * index of the first that it refused. What stands before that one in its batch was rewritten but is never issued.
 */
export function issueSmmuv3(
  words: Int32Array,
  count: number,
  guest: Smmuv3Guest,
  unit: number,
  sink: CommandSink,
): number {
  let issued = 0;
  for (let i = 0; i < count; i++) {
    if (!rewriteSmmuv3(words, i * SMMUV3_COMMAND_WORDS, guest)) return i;
    if (i + 1 < count && i + 1 - issued < SMMUV3_GUEST_BATCH) continue;
    for (; issued <= i; issued++) {
      const at = issued * SMMUV3_COMMAND_WORDS;
      sink.command(unit, words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, 0, 0, 0, 0); // at is in range
    }
    sink.submit(unit);
  }
  return count;
}

/** How many of a list of which the host reports `done` were issued, where it refused the next. */
export function issuedBeforeRefusal(done: number): number {
  return done - (done % SMMUV3_GUEST_BATCH);
}
