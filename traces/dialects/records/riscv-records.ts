import { DIALECT } from '../../schema.ts';
import { address, layout, layoutDialect, number, truth } from '../command-layout.ts';
import { hex } from '../word-bits.ts';
import { accessText } from './record-text.ts';

const WHO = {
  pid: number(0, 31, 12),
  pidValid: truth(0, 32),
  privileged: truth(0, 33),
  device: number(0, 63, 40),
} as const;

/** RISC-V page-request-queue record, 16 bytes (RISC-V IOMMU architecture specification 1.0, 3.3). */
export const RISCV_REQUEST_LAYOUTS = {
  'page-request': layout(
    [],
    {
      ...WHO,
      execute: truth(0, 34),
      read: truth(1, 0),
      write: truth(1, 1),
      last: truth(1, 2),
      group: number(1, 11, 3),
      address: address(1, 63, 12),
    },
    (c) =>
      `did ${hex(c.device)}${c.pidValid ? ` pid ${c.pid}` : ''} group ${c.group} ${hex(c.address)} ${accessText(c)}`,
    (c) => (!c.pidValid && (c.privileged || c.execute) ? ['privileged or execute without process id'] : []),
  ),
} as const;

export const riscvRequestRecords = layoutDialect({
  name: 'riscv-pq',
  id: DIALECT.riscv,
  words: 2,
  layouts: RISCV_REQUEST_LAYOUTS,
  opcode: [],
  typeOf: () => 'page-request',
  unknown: () => '',
});

/** RISC-V fault-queue record, 32 bytes (specification 1.0, 3.2). The second word is for custom use. */
export const RISCV_FAULT_LAYOUTS = {
  fault: layout(
    [],
    {
      ...WHO,
      cause: number(0, 11, 0),
      transaction: number(0, 39, 34),
      address: address(2, 63, 0),
      address2: address(3, 63, 0),
    },
    (c) =>
      `did ${hex(c.device)}${c.pidValid ? ` pid ${c.pid}` : ''} cause ${c.cause} type ${c.transaction} ${hex(c.address)}`,
  ),
} as const;

export const riscvFaultRecords = layoutDialect({
  name: 'riscv-fq',
  id: DIALECT.riscv,
  words: 4,
  layouts: RISCV_FAULT_LAYOUTS,
  opcode: [],
  typeOf: () => 'fault',
  unknown: () => '',
});
