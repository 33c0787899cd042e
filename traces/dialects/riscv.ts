import { DIALECT } from '../schema.ts';
import { formatRequester, highWord, lowWord } from '../units.ts';
import { address, layout, layoutDialect, number, truth } from './command-layout.ts';
import type { LayoutCommand, UndefinedCommand } from './command-layout.ts';
import { RISCV_FUNCTION, RISCV_OPCODE, riscvFunction, riscvOpcode } from './riscv-fields.ts';
import { sizeCodeOrder } from './vtd-fields.ts';
import { hex } from './word-bits.ts';

/**
 * RISC-V IOMMU command queue (RISC-V IOMMU architecture specification 1.0, 3.1, with the extensions for non-leaf and for range
 * invalidation; drivers/iommu/riscv/iommu-bits.h): two words a command.
 */

const GSCID = number(0, 59, 44);
const GV = truth(0, 33);
const AV = truth(0, 10);
const NON_LEAF = truth(0, 34);
const SIZE = truth(1, 9);
/** Address bits 63:12 are at 61:10. */
const ADDRESS = address(1, 61, 10, 2);

const op = (opcode: number, func: number): readonly bigint[] => [BigInt(opcode | (func << 7))];

interface Ranged {
  readonly addressValid: boolean;
  readonly size: boolean;
  readonly nonLeaf: boolean;
  readonly address: bigint;
}

/** The size code is PCIe's: ones from address bit 12 on, ended by a 0. */
function range(size: boolean, at: bigint): string {
  const order = sizeCodeOrder(size, lowWord(at), highWord(at));
  if (order >= 52) return ' everything';
  return ` addr ${hex(at & ~((1n << BigInt(order + 12)) - 1n))}${size ? ` pages ${2 ** order}` : ''}`;
}

function rangeText(c: Ranged): string {
  return `${c.addressValid ? range(c.size, c.address) : ''}${c.nonLeaf ? ' non-leaf' : ''}`;
}

const guestText = (c: { readonly guest: boolean; readonly gscid: number }): string =>
  c.guest ? ` gscid ${c.gscid}` : '';
const atsText = (c: AtsTarget): string => {
  const requester = formatRequester(c.segmentValid ? (c.segment << 16) | c.rid : c.rid);
  return `rid ${requester}${c.pidValid ? ` pasid ${c.pid}` : ''}`;
};

interface AtsTarget {
  readonly pid: number;
  readonly pidValid: boolean;
  readonly segmentValid: boolean;
  readonly rid: number;
  readonly segment: number;
}

const ATS = {
  pid: number(0, 31, 12),
  pidValid: truth(0, 32),
  segmentValid: truth(0, 33),
  rid: number(0, 55, 40),
  segment: number(0, 63, 56),
} as const;

const ANSWERS: { readonly [code: number]: string } = { 0: 'success', 1: 'invalid', 15: 'failure' };

export const RISCV_LAYOUTS = {
  'iotinval-vma': layout(
    op(RISCV_OPCODE.iotinval, RISCV_FUNCTION.vma),
    {
      addressValid: AV,
      pscid: number(0, 31, 12),
      pscidValid: truth(0, 32),
      guest: GV,
      nonLeaf: NON_LEAF,
      gscid: GSCID,
      size: SIZE,
      address: ADDRESS,
    },
    (c) => `${guestText(c)}${c.pscidValid ? ` pscid ${c.pscid}` : ''}${rangeText(c)}`.trimStart(),
  ),
  'iotinval-gvma': layout(
    op(RISCV_OPCODE.iotinval, RISCV_FUNCTION.gvma),
    { addressValid: AV, guest: GV, nonLeaf: NON_LEAF, gscid: GSCID, size: SIZE, address: ADDRESS },
    (c) => `${guestText(c)}${rangeText(c)}`.trimStart(),
  ),
  'iofence-c': layout(
    op(RISCV_OPCODE.iofence, RISCV_FUNCTION.fence),
    {
      addressValid: AV,
      interrupt: truth(0, 11),
      reads: truth(0, 12),
      writes: truth(0, 13),
      data: number(0, 63, 32),
      address: address(1, 61, 0, 2),
    },
    (c) => {
      const order = `${c.reads ? ' reads' : ''}${c.writes ? ' writes' : ''}${c.interrupt ? ' interrupt' : ''}`;
      return `${order}${c.addressValid ? ` stores ${hex(c.data)} at ${hex(c.address)}` : ''}`.trimStart();
    },
  ),
  'iodir-inval-ddt': layout(
    op(RISCV_OPCODE.iodir, RISCV_FUNCTION.ddt),
    { deviceValid: truth(0, 33), device: number(0, 63, 40) },
    (c) => (c.deviceValid ? `did ${hex(c.device)}` : 'all'),
  ),
  'iodir-inval-pdt': layout(
    op(RISCV_OPCODE.iodir, RISCV_FUNCTION.pdt),
    { pid: number(0, 31, 12), deviceValid: truth(0, 33), device: number(0, 63, 40) },
    (c) => `did ${hex(c.device)} pid ${c.pid}`,
    (c) => (c.deviceValid ? [] : ['no valid device']),
  ),
  'ats-inval': layout(
    op(RISCV_OPCODE.ats, RISCV_FUNCTION.inval),
    { ...ATS, global: truth(1, 0), size: truth(1, 11), address: address(1, 63, 12) },
    (c) => `${atsText(c)}${c.global ? ' all pasids' : ''}${range(c.size, c.address)}`,
  ),
  'ats-prgr': layout(
    op(RISCV_OPCODE.ats, RISCV_FUNCTION.prgr),
    { ...ATS, group: number(1, 40, 32), code: number(1, 47, 44), destination: number(1, 63, 48) },
    (c) => {
      const answer = ANSWERS[c.code] ?? `code ${c.code}`;
      return `${atsText(c)} to ${formatRequester(c.destination)} group ${c.group} ${answer}`;
    },
    (c) => (ANSWERS[c.code] === undefined ? [`undefined response code ${c.code}`] : []),
  ),
} as const;

/** A command of the command queue. */
export type RiscvCommand = LayoutCommand<typeof RISCV_LAYOUTS> | UndefinedCommand;

type Name = keyof typeof RISCV_LAYOUTS;

/** By opcode, then by function. */
const NAMES: readonly (readonly Name[])[] = [
  [],
  ['iotinval-vma', 'iotinval-gvma'],
  ['iofence-c'],
  ['iodir-inval-ddt', 'iodir-inval-pdt'],
  ['ats-inval', 'ats-prgr'],
];

/** RISC-V IOMMU: the command queue. */
export const riscvDialect = layoutDialect({
  name: 'riscv',
  id: DIALECT.riscv,
  words: 2,
  layouts: RISCV_LAYOUTS,
  completion: 'iofence-c',
  deviceTlb: ['ats-inval'],
  opcode: [0x3ffn],
  typeOf: (w0Lo) => NAMES[riscvOpcode(w0Lo)]?.[riscvFunction(w0Lo)],
  unknown: (w0Lo) => `opcode ${riscvOpcode(w0Lo)} function ${riscvFunction(w0Lo)}`,
});
