import { IorrError } from '../../traces/errors.ts';
import { programOptions } from '../../traces/program.ts';
import type { InvalidationMode, LabMachine } from './lab-machine.ts';
import { LAB_MACHINES, findLabMachine } from './lab-machines.ts';
import type { LabWork } from './lab-work.ts';
import { LAB_WORKS, findLabWork } from './lab-works.ts';

export interface LabOptions {
  readonly work: LabWork;
  readonly machine: LabMachine;
  readonly mode: InvalidationMode;
  readonly ats: boolean;
  /** Seconds of I/O in the guest. */
  readonly seconds: number;
  readonly cpus: number;
  /** Seconds after which the guest is given up. */
  readonly limitSeconds: number;
  readonly suite: string;
  /** Debian suite of the source that a kernel is built from. */
  readonly kernelSuite: string;
  /** Folder for results. */
  readonly out: string;
  readonly keep: boolean;
}

const names = LAB_MACHINES.map(({ name }) => name).join('|');
const works = LAB_WORKS.map(({ name }) => name).join('|');
/** Calls are recorded on this machine. */
const CALLS_MACHINE = 'vtd';

function listed(members: readonly { readonly name: string; readonly description: string }[]): string {
  return members.map(({ name, description }) => `                       ${name.padEnd(8)} ${description}`).join('\n');
}

export const LAB_HELP = `npm run lab -- [options]

boots a Debian kernel in QEMU with an emulated IOMMU, records what goes on in it with iorr itself, and verifies the result

  --work <name>      ${works} (default: io)
${listed(LAB_WORKS)}
  --build-kernel     the same as --work iommufd: builds its kernel from Debian's source first, once, which takes 4 GB of
                     disk meanwhile and some 7 minutes on two quiet CPUs
  --iommu <name>     ${names} (default: vtd)
${listed(LAB_MACHINES)}
  --strict, --lazy   invalidate at each unmap (default), or by flush queues
  --ats              devices with ATS behind root ports (vtd)
  --seconds <n>      of I/O in the guest (default: 60)
  --cpus <n>         of the guest (default: 2)
  --limit <n>        give up after so many seconds (default: 300 and six times --seconds)
  --suite <name>     Debian suite of kernel and Node (default: trixie)
  --kernel-suite <name>
                     Debian suite of the source of --build-kernel (default: trixie-backports)
  --out <folder>     for the results (default: tmp/lab/IOMMU-MODE, tmp/lab/WORK)
  --keep             leave the guest's disks and console there too
  --help
`;

function wholeNumber(name: string, text: string, max: number): number {
  if (/^[1-9]\d{0,5}$/.test(text) && Number(text) <= max) return Number(text);
  throw new IorrError('USAGE', `--${name} expects a number from 1 to ${max}, got "${text}"`);
}

function usage(message: string): never {
  throw new IorrError('USAGE', message, { hint: 'npm run lab -- --help' });
}

function parse(args: readonly string[]) {
  return programOptions({
    args: [...args],
    options: {
      work: { type: 'string' },
      'build-kernel': { type: 'boolean', default: false },
      'kernel-suite': { type: 'string', default: 'trixie-backports' },
      iommu: { type: 'string', default: 'vtd' },
      strict: { type: 'boolean', default: false },
      lazy: { type: 'boolean', default: false },
      ats: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '60' },
      cpus: { type: 'string', default: '2' },
      limit: { type: 'string' },
      suite: { type: 'string', default: 'trixie' },
      out: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values;
}

function suiteName(option: string, name: string): string {
  if (/^[a-z][a-z-]*$/.test(name)) return name;
  return usage(`--${option} expects a name such as trixie, got "${name}"`);
}

function workOf(name: string | undefined, buildKernel: boolean): LabWork {
  const work = findLabWork(name ?? (buildKernel ? 'iommufd' : 'io'));
  if (work === undefined) usage(`--work expects one of ${works}, got "${name}"`);
  if (buildKernel && !work.ownKernel) usage(`--build-kernel: ${work.name} runs on Debian's own kernel`);
  return work;
}

/** What the laboratory was asked to do; 'help' if that is all. Throws `IorrError` USAGE. */
export function readLabOptions(args: readonly string[]): LabOptions | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  const work = workOf(values.work, values['build-kernel']);
  const machine = findLabMachine(values.iommu);
  if (machine === undefined) usage(`--iommu expects one of ${names}, got "${values.iommu}"`);
  if (work.name !== 'io' && machine.name !== CALLS_MACHINE) usage(`--work ${work.name} runs on ${CALLS_MACHINE} alone`);
  if (values.strict && values.lazy) usage('--strict and --lazy exclude each other');
  if (values.ats && !machine.ats) usage(`--ats: devices of ${machine.name} have none here`);
  const seconds = wholeNumber('seconds', values.seconds, 3600);
  const mode = values.lazy ? 'lazy' : 'strict';
  const name = work.name === 'io' ? `${machine.name}-${mode}${values.ats ? '-ats' : ''}` : work.name;
  return {
    work,
    machine,
    mode,
    ats: values.ats,
    seconds,
    cpus: wholeNumber('cpus', values.cpus, 8),
    limitSeconds: values.limit === undefined ? 300 + 6 * seconds : wholeNumber('limit', values.limit, 36_000),
    suite: suiteName('suite', values.suite),
    kernelSuite: suiteName('kernel-suite', values['kernel-suite']),
    out: values.out ?? `tmp/lab/${name}`,
    keep: values.keep,
  };
}
