import { Context } from './context.ts';
import type { Machine } from './machine.ts';
import type { IommufdFile } from './process.ts';

/** A context behind a new open file of /dev/iommu. */
export function openIommufd(machine: Machine, accountPerProcess = false): IommufdFile {
  const context = new Context(machine, accountPerProcess);
  context.hold();
  return { kind: 'iommufd', refs: 0, context, release: () => context.release() };
}
