import { parseArgs } from 'node:util';
import { IorrError } from '../../traces/errors.ts';
import type { InvalidationMode, LabMachine } from './lab-machine.ts';
import { LAB_MACHINES, findLabMachine } from './lab-machines.ts';

export interface LabOptions {
  readonly machine: LabMachine;
  readonly mode: InvalidationMode;
  readonly ats: boolean;
  /** Seconds of I/O in the guest. */
  readonly seconds: number;
  readonly cpus: number;
  /** Seconds after which the guest is given up. */
  readonly limitSeconds: number;
  readonly suite: string;
  /** Folder for results; undefined: chosen by machine and mode. */
  readonly out: string | undefined;
  readonly keep: boolean;
}

const names = LAB_MACHINES.map(({ name }) => name).join('|');

export const LAB_HELP = `npm run lab -- [options]

boots a Debian kernel in QEMU with an emulated IOMMU, records I/O in it with iorr, joins that with the emulator's own log,
and verifies both

  --iommu <name>     ${names} (default: vtd)
${LAB_MACHINES.map(({ name, description }) => `                       ${name.padEnd(8)} ${description}`).join('\n')}
  --strict, --lazy   invalidate at each unmap (default), or by flush queues
  --ats              devices with ATS behind root ports (vtd)
  --seconds <n>      of I/O in the guest (default: 60)
  --cpus <n>         of the guest (default: 2)
  --limit <n>        give up after so many seconds (default: 300 and six times --seconds)
  --suite <name>     Debian suite of kernel and Node (default: trixie)
  --out <folder>     for the results (default: tmp/lab/IOMMU-MODE)
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
  try {
    return parseArgs({
      args: [...args],
      options: {
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
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

/** What the laboratory was asked to do; 'help' if that is all. Throws `IorrError` USAGE. */
export function readLabOptions(args: readonly string[]): LabOptions | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  const machine = findLabMachine(values.iommu);
  if (machine === undefined) usage(`--iommu expects one of ${names}, got "${values.iommu}"`);
  if (values.strict && values.lazy) usage('--strict and --lazy exclude each other');
  if (values.ats && !machine.ats) usage(`--ats: devices of ${machine.name} have none here`);
  if (!/^[a-z][a-z-]*$/.test(values.suite)) usage(`--suite expects a name such as trixie, got "${values.suite}"`);
  const seconds = wholeNumber('seconds', values.seconds, 3600);
  return {
    machine,
    mode: values.lazy ? 'lazy' : 'strict',
    ats: values.ats,
    seconds,
    cpus: wholeNumber('cpus', values.cpus, 8),
    limitSeconds: values.limit === undefined ? 300 + 6 * seconds : wholeNumber('limit', values.limit, 36_000),
    suite: values.suite,
    out: values.out,
    keep: values.keep,
  };
}
