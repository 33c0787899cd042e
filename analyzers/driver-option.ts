import { AS_RECORDED, DRIVER_NAMES } from '../replay/engine/chosen-hardware.ts';
import type { CommandInvocation, CommandSpec } from '../traces/command.ts';

/** For commands that derive what a trace's ioctls did to page tables, where nothing else in it tells. */
export const DRIVER_OPTION: NonNullable<CommandSpec['options']>[number] = {
  flags: '--driver <name>',
  description: `of a trace of ioctls: IOMMU driver under VFIO devices, by whose rules they are carried out (as iorr verify; default: '${AS_RECORDED}')`,
  choices: DRIVER_NAMES,
};

/** The driver that was asked for, as an option of a replay; nothing where none was. */
export function driverOf(options: CommandInvocation['options']): { readonly driver?: string } {
  return typeof options['driver'] === 'string' ? { driver: options['driver'] } : {};
}
