import { SMMUV3_OPCODE } from '../../traces/dialects/smmuv3-fields.ts';
import { VTD_TYPE } from '../../traces/dialects/vtd-fields.ts';
import { DIALECT } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import type { RequesterId } from '../../traces/units.ts';
import type { CommandSink } from '../model/command-sink.ts';
import type { IntentGuest, InvalidatedEntries } from '../model/iommufd/intents.ts';
import { SMMUV3_COMMAND_WORDS, issueSmmuv3 } from '../model/smmuv3-guest.ts';
import { issueVtdRange, vtdBlockOf } from '../model/vtd-guest.ts';
import type { VtdAttachment } from '../model/vtd-guest.ts';

/** enum iommu_hwpt_invalidate_data_type: VT-d's on nested HWPTs, SMMUv3's on vIOMMUs. */
const VTD_S1 = 0;
const SMMUV3 = 1;
const COMMAND_BYTES = 4 * SMMUV3_COMMAND_WORDS;
const LEAF = 1;
/** VT-d spec 11.4.2: no unit takes a larger mask. */
const LARGEST_MASK = 63;

/** The host's numbers, as far as a list's entries need them. */
export interface HostNumbers {
  vmidOf(parent: object): number;
  sidOf(device: object): RequesterId;
  unitOf(iommu: string | undefined): number;
  /** Uses of a nested domain, in the order in which they came. */
  attachmentsOf(domain: object): readonly VtdAttachment[];
}

/** Writes one native command of a dialect. */
type CommandWriter = (dialect: number, unit: number, w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number) => void;

/**
 * The commands, waits included, that a host's driver gives to its hardware for the entries of a HWPT_INVALIDATE; none where
 * they are of no real hardware. What the host does not tell (status addresses of waits) is 0.
 */
export function writeInvalidation(
  domain: object,
  invalidation: InvalidatedEntries,
  numbers: HostNumbers,
  write: CommandWriter,
): void {
  const { type, guest, entries } = invalidation;
  if (guest !== undefined) {
    if (type === SMMUV3) smmuv3List(guest, entries, numbers, write);
  } else if (type === VTD_S1) vtdList(numbers.attachmentsOf(domain), invalidation, write);
}

function smmuv3List(
  guest: IntentGuest,
  entries: readonly Uint8Array[],
  numbers: HostNumbers,
  write: CommandWriter,
): void {
  const words = new Int32Array(entries.length * SMMUV3_COMMAND_WORDS);
  entries.forEach((entry, i) => {
    const command = new Uint8Array(COMMAND_BYTES);
    command.set(entry.subarray(0, COMMAND_BYTES));
    const view = new DataView(command.buffer);
    for (let w = 0; w < SMMUV3_COMMAND_WORDS; w++) words[i * SMMUV3_COMMAND_WORDS + w] = view.getInt32(w * 4, true);
  });
  const host = {
    vmid: numbers.vmidOf(guest.parent),
    sidOf(virtual: number): RequesterId {
      const device = guest.deviceOf(BigInt(virtual));
      return device === undefined ? ABSENT : numbers.sidOf(device);
    },
  };
  const sink = sinkOf(DIALECT.smmuv3, SYNC, write);
  issueSmmuv3(words, entries.length, host, numbers.unitOf(guest.iommu), sink);
}

function vtdList(
  attachments: readonly VtdAttachment[],
  { entries, maxAddressMask = LARGEST_MASK }: InvalidatedEntries,
  write: CommandWriter,
): void {
  const sink = sinkOf(DIALECT.vtd, WAIT, write);
  const block = { order: 0, low: 0, high: 0 };
  for (const entry of entries) {
    if (entry.length < 20) continue;
    const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
    const word = (at: number): number => view.getInt32(at, true);
    vtdBlockOf(word(0), word(4), word(8), word(12), block);
    issueVtdRange(block, (word(16) & LEAF) !== 0, attachments, maxAddressMask, sink);
  }
}

/** First word's halves of the command that a driver waits for. */
interface Completion {
  readonly low: number;
  readonly high: number;
}

/** Completion by event, inner shareable, write-back (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, CMDQ_OP_CMD_SYNC). */
const SYNC: Completion = { low: SMMUV3_OPCODE.sync | (2 << 12) | (3 << 22) | (15 << 24), high: 0 };
/** QI_DONE (2) is written as status (drivers/iommu/intel/dmar.c, qi_submit_sync). */
const WAIT: Completion = { low: VTD_TYPE.wait | 0x20, high: 2 };

function sinkOf(dialect: number, { low, high }: Completion, write: CommandWriter): CommandSink {
  return {
    command: (unit, w0Lo, w0Hi, w1Lo, w1Hi) => write(dialect, unit, w0Lo, w0Hi, w1Lo, w1Hi),
    submit: (unit) => write(dialect, unit, low, high, 0, 0),
  };
}
