export { createRowCopier } from '../../../traces/row-copier.ts';
