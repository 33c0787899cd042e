import { works } from './check.ts';
import type { Check } from './check.ts';
import type { LiveSource } from './live-source.ts';
import { readMachine } from './machine/machine.ts';
import type { Machine } from './machine/machine.ts';
import type { System } from './system.ts';
import {
  checkIommufd,
  checkKernelLog,
  checkLockdown,
  checkPidNamespace,
  checkPrivileges,
  checkUnits,
  checkVfio,
} from './system-checks.ts';
import { checkBpftrace, checkBtf, checkPerf, checkStrace } from './tool-checks.ts';

export interface SourceDiagnosis {
  readonly name: string;
  readonly usable: boolean;
  readonly sees: string;
  readonly misses: string;
  readonly checks: readonly Check[];
}

/** What `iorr doctor` answers. */
export interface DoctorResult {
  /** `iorr record` without `--source` works here. */
  readonly recordWorks: boolean;
  /** The source that it would take. */
  readonly defaultSource: string | null;
  readonly system: readonly Check[];
  readonly tools: readonly Check[];
  readonly sources: readonly SourceDiagnosis[];
  readonly machine: Machine;
}

const NO_WISHES = {
  events: [],
  filtered: false,
  processesOnly: false,
  bufferBytes: undefined,
  subBufferBytes: undefined,
};

export function diagnose(system: System, sources: readonly LiveSource[]): DoctorResult {
  const diagnoses = sources.map((source) => {
    const { name, sees, misses } = source;
    const checks = source.probe(system, NO_WISHES);
    return { name, usable: works(checks), sees, misses, checks };
  });
  const first = diagnoses[0];
  return {
    recordWorks: first?.usable === true,
    defaultSource: diagnoses.find(({ usable }) => usable)?.name ?? null,
    system: [
      checkPrivileges(system),
      checkLockdown(system),
      checkPidNamespace(system),
      checkUnits(system),
      checkIommufd(system),
      checkVfio(system),
      checkKernelLog(system),
    ],
    tools: [checkBtf(system), checkBpftrace(system), checkPerf(system), checkStrace(system)],
    sources: diagnoses,
    machine: readMachine(system),
  };
}

const SIGN = { ok: 'ok     ', limited: 'limited', missing: 'MISSING' } as const;

function checkLines(check: Check, width: number): string[] {
  const indent = ' '.repeat(width + 12);
  const lines = [`  ${check.name.padEnd(width)}  ${SIGN[check.state]} ${check.found}`];
  if (check.needs !== '') lines.push(`${indent}needs: ${check.needs}`);
  if (check.instead !== '') lines.push(`${indent}without: ${check.instead}`);
  return lines;
}

/** For people. */
export function doctorText(result: DoctorResult): string {
  const { machine } = result;
  const all = [...result.system, ...result.tools, ...result.sources.flatMap(({ checks }) => checks)];
  const width = Math.max(...all.map(({ name }) => name.length));
  const section = (title: string, checks: readonly Check[]): string[] => [
    title,
    ...checks.flatMap((check) => checkLines(check, width)),
    '',
  ];
  const capable = machine.devices.filter(({ capabilities }) => capabilities?.ats || capabilities?.pasid);
  const lines = [
    `Linux ${machine.kernel} on ${machine.cpus} CPUs (${machine.cpu ?? machine.architecture})${machine.virtual ? ', a virtual machine' : ''}; ` +
      `${machine.units.length} IOMMU units, ${machine.groups.length} groups, ${machine.devices.length} PCI functions, ` +
      `${capable.length} of them with ATS or PASID`,
    '',
    ...section('machine', result.system),
    ...section('tools', result.tools),
    ...result.sources.flatMap((source) => [
      ...section(`source ${source.name}: ${source.usable ? 'works here' : 'does not work here'}`, source.checks).slice(
        0,
        -1,
      ),
      `  sees: ${source.sees}`,
      `  never sees: ${source.misses}`,
      '',
    ]),
    result.recordWorks
      ? `iorr record works here: it takes ${result.defaultSource ?? ''}`
      : result.defaultSource === null
        ? 'iorr record does not work here; what is MISSING above says how to change that'
        : `iorr record does not work here as it is; iorr record --source ${result.defaultSource} does`,
  ];
  return `${lines.join('\n')}\n`;
}
