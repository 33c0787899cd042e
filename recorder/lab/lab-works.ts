import type { LabWork } from './lab-work.ts';
import { io } from './works/io.ts';
import { iommufd } from './works/iommufd.ts';
import { vfio } from './works/vfio.ts';

/** Everything that the laboratory does in a guest; the first one is the default. To add one: a file in `works/`, a line here. */
export const LAB_WORKS: readonly LabWork[] = [io, vfio, iommufd];

export function findLabWork(name: string): LabWork | undefined {
  return LAB_WORKS.find((work) => work.name === name);
}
