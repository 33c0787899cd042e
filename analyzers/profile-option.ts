import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ACCESS_MODELS } from '../replay/access/access-models.ts';
import { costProfile } from '../replay/costs/cost-profiles.ts';
import type { CostProfile } from '../replay/costs/cost-profile.ts';
import type { HardwareProfile } from '../replay/hardware/profile.ts';
import { HARDWARE, hardwareProfile } from '../replay/hardware/profiles.ts';
import { MOST_PROFILE_BYTES, parseProfile } from '../replay/profile-file.ts';
import type { ProfileFile } from '../replay/profile-file.ts';
import type { CommandOption } from '../traces/command.ts';
import { IorrError } from '../traces/errors.ts';
import type { TraceHeader } from '../traces/header.ts';
import { systemReason } from '../traces/system-reason.ts';
import { HARDWARE_WORDS, PROFILE_WORDS } from './model-words.ts';

/** `--hardware` of a command; `description`: what it is for there. */
export function hardwareFlag(description = 'hardware profile, or a profile file'): CommandOption {
  return { flags: '--hardware <name>', values: HARDWARE_WORDS, orFile: true, description, default: 'auto' };
}

/** `--profile` of a command; `description`: what it is for there. */
export function profileFlag(description = 'cost profile, or a profile file'): CommandOption {
  return { flags: '--profile <name>', values: PROFILE_WORDS, orFile: true, description, default: 'auto' };
}

/** `--access` of a command that takes recorded accesses or those of a model. */
export function accessFlag(description = 'accesses: recorded ones, or a model'): CommandOption {
  const choices = ['recorded', ...ACCESS_MODELS.map(({ name }) => name)];
  return { flags: '--access <model>', description, choices };
}

/** `--hardware` where a machine's own caches are wanted. */
export const WHOSE_CACHES: CommandOption = hardwareFlag(
  `whose caches: auto (QEMU's where QEMU emulated the IOMMU, else a generic server), ${HARDWARE.map(({ name }) => name).join(', ')}, or a profile file`,
);

/** The value of `--hardware`: a built-in name, or a profile file. */
export function hardwareOption(value: string, header: TraceHeader): HardwareProfile {
  if (!isFile(value)) return hardwareProfile(value, header);
  const { hardware } = readProfile(value);
  if (hardware !== undefined) return hardware;
  throw new IorrError('USAGE', 'the profile has no hardware', { place: { file: value }, hint: 'is it for --profile?' });
}

/** The value of `--profile`: a built-in name, or a profile file. */
export function costsOption(value: string, header: TraceHeader): CostProfile {
  if (!isFile(value)) return costProfile(value, header);
  const { costs } = readProfile(value);
  if (costs !== undefined) return costs;
  throw new IorrError('USAGE', 'the profile has no costs', { place: { file: value }, hint: 'is it for --hardware?' });
}

/** No built-in profile has a name like that. */
function isFile(value: string): boolean {
  return value.includes('/') || value.endsWith('.json');
}

function readProfile(file: string): ProfileFile {
  return parseProfile(readSmallFile(file, MOST_PROFILE_BYTES), file);
}

/** The text of a file of at most so many bytes. Throws `FILE_UNREADABLE`, or `LIMIT` if there is more. */
export function readSmallFile(file: string, most: number): string {
  let descriptor: number | undefined;
  try {
    descriptor = file === '-' ? 0 : openSync(file, 'r');
    if (descriptor !== 0 && fstatSync(descriptor).isDirectory()) throw new Error('it is a directory');
    const bytes = Buffer.alloc(most + 1);
    let length = 0;
    while (length <= most) {
      const read = readSync(descriptor, bytes, length, most + 1 - length, null);
      if (read === 0) break;
      length += read;
    }
    if (length <= most) return bytes.toString('utf8', 0, length);
  } catch (error) {
    throw new IorrError('FILE_UNREADABLE', systemReason(error), {
      place: { file },
      hint: 'check the name and its permissions',
      cause: error,
    });
  } finally {
    if (descriptor !== undefined && descriptor !== 0) closeSync(descriptor);
  }
  throw new IorrError('LIMIT', `more than ${most} bytes`, { place: { file }, hint: 'is it the right file?' });
}
