import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { AddressSpace } from './address-space.ts';
import type { MemoryRegion } from './address-space.ts';
import { Backing } from './backing.ts';
import { iommufdIoctls } from './families.ts';
import { runIoctl } from './ioctl.ts';
import { openIommufd } from './iommufd-file.ts';
import { Machine } from './machine.ts';
import { mockBackend } from './mock/mock-backend.ts';
import { Process } from './process.ts';
import type { IommufdFile } from './process.ts';
import { newFile } from './system-calls.ts';
import { vfioCompat } from './vfio/compat.ts';

/** One line of a fixture: calls of one test case on Linux 7.2.13 with the mock driver, struct bytes before and after. */
interface Step {
  readonly open?: number;
  readonly close?: number;
  readonly read?: number;
  readonly write?: number;
  readonly count?: number;
  readonly data?: string;
  readonly ioctl?: string;
  readonly fd?: number;
  readonly request?: number;
  readonly argument?: string;
  readonly ret?: number;
  readonly before?: string;
  readonly after?: string;
  /** Address, bytes before, bytes after; null: not mapped. */
  readonly memory?: readonly (readonly [string, string | null, string | null])[];
}

interface Outcome {
  readonly ret: number;
  readonly after: string;
  readonly memory: readonly string[];
}

const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const FOLDER = new URL('fixtures/', import.meta.url);

function region(address: string, bytes: string | null): MemoryRegion {
  return {
    address: Number(BigInt(address)),
    bytes: bytes === null ? null : fromHex(bytes),
    after: undefined,
    unknown: false,
  };
}

/** Everything but the first pages is mapped. */
function mappedMemory(): AddressSpace {
  const memory = new AddressSpace({ complete: true });
  memory.map({ start: 0x1_0000, end: 0x7fff_ffff_f000, prot: 3, shared: false, backing: new Backing(), page: 0x10 });
  return memory;
}

function contents({ after, bytes }: MemoryRegion): string {
  return toHex(after ?? bytes ?? new Uint8Array(0));
}

function ioctl(process: Process, step: Step): Outcome {
  const { fd = -1, request = 0, argument = '0x0', before, memory = [] } = step;
  const struct = before === undefined ? undefined : region(argument, before);
  const others = memory.map(([address, bytes]) => region(address, bytes));
  process.memory.begin(struct === undefined ? others : [struct, ...others]);
  const { context } = process.fds.get(fd) as IommufdFile;
  const ret = runIoctl(iommufdIoctls, vfioCompat, context, process, request, BigInt(argument));
  process.memory.end();
  return { ret, after: struct === undefined ? '' : contents(struct), memory: others.map(contents) };
}

/** What the model gives for a step, and what was recorded. */
function run(machine: Machine, process: Process, step: Step): { readonly model: unknown; readonly recorded: unknown } {
  if (step.open !== undefined) {
    process.installAt(step.open, openIommufd(machine));
    return { model: 0, recorded: 0 };
  }
  if (step.close !== undefined) return { model: process.close(step.close), recorded: true };
  if (step.read !== undefined) {
    const model = process.fds.get(step.read)?.read?.(step.count ?? 0, undefined);
    return {
      model: typeof model === 'object' ? toHex(model) : model,
      recorded: (step.ret ?? 0) < 0 ? step.ret : step.data,
    };
  }
  if (step.write !== undefined) {
    return { model: process.fds.get(step.write)?.write?.(fromHex(step.data ?? ''), undefined), recorded: step.ret };
  }
  const recorded: Outcome = {
    ret: step.ret ?? 0,
    after: step.after ?? step.before ?? '',
    memory: (step.memory ?? []).map(([, , after]) => after ?? ''),
  };
  return { model: ioctl(process, step), recorded };
}

describe('recorded calls', () => {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.jsonl'));

  test.each(names)('%s', (name) => {
    const machine = new Machine(mockBackend);
    const process = new Process(1, mappedMemory());
    for (let fd = 0; fd < 4; fd++) process.installAt(fd, newFile('other'));
    const steps = readFileSync(new URL(name, FOLDER), 'utf8').trimEnd().split('\n');
    for (const [line, text] of steps.entries()) {
      const step = JSON.parse(text) as Step;
      const { model, recorded } = run(machine, process, step);
      expect({ line, call: step.ioctl, result: model }).toEqual({ line, call: step.ioctl, result: recorded });
    }
  });
});
