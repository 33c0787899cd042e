export { createRowCopier } from '../../../traces/row-copier.ts';
export type { CopyRow } from '../../../traces/row-copier.ts';
