import type { CommandDialect } from '../../../traces/dialects/dialect.ts';
import { RESPONSE } from '../page-response.ts';

/** Exact words of a command whose fields are given as plain data. */
export function commandWords(
  dialect: CommandDialect,
  type: string,
  fields: { readonly [name: string]: number | boolean },
): readonly bigint[] {
  return dialect.encode({ type, problems: [], ...fields });
}

/** Response code of PCIe 10.4.2.2 as VT-d, AMD and RISC-V write it: 0 success, 1 invalid request, 15 response failure. */
export function pcieCode(code: number): number {
  return code === RESPONSE.success ? 0 : code === RESPONSE.invalid ? 1 : 15;
}
