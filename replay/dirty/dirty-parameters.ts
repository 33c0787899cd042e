import type { DesignParameter } from '../designs/design.ts';
import { knob } from '../designs/knob.ts';
import { PRI_PARAMETERS } from '../faults/pri-parameters.ts';
import type { ProfileParameter } from '../results.ts';
import type { RecordedMigration } from './recorded-migration.ts';

const QEMU = 'QEMU, migration/options.c';
const CHOICE = 'a choice of the run';

/** What harvests and migrations cost and how they are done: the knobs of `--set`, beside the cost profile. */
export const DIRTY_PARAMETERS: readonly DesignParameter[] = [
  knob('dirty.call', 200, 'ns', 'a failing ioctl on a two-core virtual machine: 145 to 230 ns', 'measured'),
  knob('dirty.entry', 3.5, 'ns', 'one entry read in order; 2 to 5 ns are plausible'),
  knob('dirty.table', 80, 'ns', 'the first cache line of a table comes from memory'),
  knob(
    'dirty.bandwidth',
    10,
    'bytes/ns',
    'page-table memory that all threads together can read',
    'assumed',
    [0.01, 1e6],
  ),
  knob('dirty.clear', 20, 'ns', 'one locked read-modify-write of an entry'),
  knob('dirty.split', 1000, 'ns', 'a new table and its entry, without the entries in it'),
  knob('dirty.merge', 1000, 'ns', 'a table becomes an entry and is freed'),
  knob('dirty.entry-write', 1, 'ns', 'one entry written in order'),
  knob('dirty.bitmap-byte', 0.04, 'ns', 'cloud-hypervisor PR 7468: 16 ms for a clean bitmap of 384 MiB', 'published'),
  knob('dirty.range', 11.4, 'ns', 'cloud-hypervisor PR 7468: 383 ms with 1% of 12 TiB dirty, less the scan', 'fitted'),
  knob(
    'dirty.protect',
    5.72,
    'ns',
    'KVM, cloud-hypervisor issue 8899: 1.5 ms/GiB to clear and protect anew',
    'published',
  ),
  knob(
    'dirty.protect-all',
    17.2,
    'ns',
    'KVM, cloud-hypervisor issue 8899: 4 to 5 ms/GiB to enable logging',
    'published',
  ),
  knob('dirty.fault', 260, 'ns', 'KVM, cloud-hypervisor issue 8899: 260 ns for each page written again', 'published'),
  knob('dirty.device-fault', 10_000, 'ns', 'a page request and its answer; 5 to 20 us are plausible'),
  knob('dirty.ring-entry', 10, 'ns', 'one entry of 16 bytes collected and marked'),
  knob('dirty.ring-exit', 1300, 'ns', 'a world switch of 2,550 cycles at 3 GHz and two system-call halves'),
  ...PRI_PARAMETERS,
  knob('dirty.flush', 1, '0 or 1', CHOICE, 'assumed', [0, 1]),
  knob('dirty.contiguous-defect', 0, '0 or 1', 'Linux 7.2.13 has it; off: as intended', 'assumed', [0, 1]),
  knob('dirty.chunk', 0, 'MiB', 'of one harvest call; 0: memory over threads, 1 GiB at most', 'assumed', [0, 1 << 20]),
  knob(
    'dirty.order',
    0,
    '0 to 2',
    'chunks of a thread: 0 one part, 1 in turn, 2 the next that is free',
    'assumed',
    [0, 2],
  ),
  knob('dirty.interval', 0, 'ms', '0: as recorded, else a twentieth of the trace', 'assumed', [0, 1e9]),
  knob(
    'dirty.merge-after',
    0,
    'harvests',
    'in which all of a split leaf stays clean; 0: when tracking ends',
    'assumed',
    [0, 1000],
  ),
  knob('crossover.checks', 0, 'scales', 'of the crossover that are run as well', 'assumed', [0, 4]),
  knob('dirty.samples', 16, 'chunks', 'that a plan builds', 'assumed', [1, 1024]),
  knob('precopy.passes', 30, 'passes', 'after which a migration counts as not converging', 'assumed', [1, 1000]),
  knob('precopy.zero-share', 0, '% of memory', 'pages of zeroes, sent as a byte each', 'assumed', [0, 100]),
  knob('precopy.auto-converge', 1, '0 or 1', CHOICE, 'assumed', [0, 1]),
  knob('precopy.throttle-initial', 20, '%', QEMU, 'published', [1, 99]),
  knob('precopy.throttle-increment', 10, '%', QEMU, 'published', [1, 99]),
  knob('precopy.throttle-max', 99, '%', QEMU, 'published', [1, 99]),
  knob('precopy.throttle-trigger', 50, '%', QEMU, 'published', [1, 100]),
];

/** Value of a parameter: the one that was set, else the profile's, else the default. */
export type DirtyParameter = (name: string) => number;

export function dirtyParameter(
  given: ReadonlyMap<string, number>,
  profile: readonly ProfileParameter[] = [],
): DirtyParameter {
  const named = (list: readonly ProfileParameter[], name: string): number | undefined =>
    list.find((parameter) => parameter.name === name)?.value;
  return (name) => {
    const value = given.get(name) ?? named(profile, name) ?? named(DIRTY_PARAMETERS, name);
    if (value === undefined) throw new RangeError(`there is no parameter ${name}`);
    return value;
  };
}

/** The parameters as a result lists them. */
export function dirtyParameterTable(
  given: ReadonlyMap<string, number>,
  profile: readonly ProfileParameter[] = [],
): readonly ProfileParameter[] {
  return DIRTY_PARAMETERS.map((parameter) => {
    const { name, unit } = parameter;
    const { value, source, standing } = profile.find((measured) => measured.name === name) ?? parameter;
    const set = given.get(name);
    return set === undefined
      ? { name, value, unit, source, standing }
      : { name, value: set, unit, source: 'set by the user', standing: 'assumed' };
  });
}

/** What a recorded migration was told, then what was measured. */
export function recordedParameters(
  migration: RecordedMigration | null,
  measured: readonly ProfileParameter[] = [],
): readonly ProfileParameter[] {
  const told = migration?.parameters ?? new Map<string, number>();
  return [
    ...DIRTY_PARAMETERS.flatMap(({ name, unit }): readonly ProfileParameter[] => {
      const value = told.get(name);
      return value === undefined ? [] : [{ name, value, unit, source: 'the recorded migration', standing: 'measured' }];
    }),
    ...measured,
  ];
}
