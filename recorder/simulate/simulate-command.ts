import { setImmediate as turn } from 'node:timers/promises';
import type { CommandInvocation, CommandIo, CommandSpec } from '../../traces/command.ts';
import { INTERRUPTED } from '../../traces/command.ts';
import { makeEnvelope } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { createTrace } from '../../traces/file.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { toJson } from '../../traces/plain-json.ts';
import { Random } from '../../traces/random.ts';
import { toolVersion } from '../../traces/tool.ts';
import type { ParameterValues } from './parameter.ts';
import { describeParameters, readSettings } from './parameter.ts';
import { simulatedHeader } from './workload.ts';
import type { Workload } from './workload.ts';
import { WORKLOADS, findWorkload } from './workloads.ts';

/** What `iorr simulate` answers. */
export interface SimulateResult {
  readonly workload: string;
  readonly seed: number;
  readonly parameters: { readonly [name: string]: number | string };
  readonly output: string;
  readonly events: number;
  readonly bytes: number;
  readonly bytesPerEvent: number;
  /** False where it was stopped before it had all events; what was written is a whole trace nevertheless. */
  readonly complete: boolean;
}

interface Task {
  readonly workload: Workload;
  readonly values: ParameterValues;
  readonly seed: number;
  readonly output: string;
}

function readSeed(value: unknown): number {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value) : '1';
  const seed = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seed)) return seed;
  throw new IorrError('USAGE', `--seed expects an integer from 0 to ${Number.MAX_SAFE_INTEGER}, got "${text}"`);
}

function readTask({ args, options }: CommandInvocation): Task {
  const [name, ...more] = args;
  if (name === undefined || more.length > 0) {
    throw new IorrError('USAGE', name === undefined ? 'which workload?' : `one workload expected, got ${args.length}`, {
      hint: `There are: ${WORKLOADS.map((one) => one.name).join(', ')}`,
    });
  }
  const workload = findWorkload(name);
  const settings = Array.isArray(options['set']) ? options['set'].map(String) : [];
  const { output } = options;
  if (typeof output !== 'string' || output === '') {
    throw new IorrError('USAGE', 'where to? -o FILE is missing', { hint: `iorr simulate ${name} -o ${name}.iorr` });
  }
  if (output === '-' && options['json'] === true) {
    throw new IorrError('USAGE', '-o - and --json would both write to stdout', { hint: 'name a file with -o' });
  }
  return {
    workload,
    values: readSettings(name, workload.parameters, settings),
    seed: readSeed(options['seed']),
    output,
  };
}

/**
 * Runs a workload into a file. No `tick`: a flush at a moment of the wall clock would make the bytes of two runs differ, and
 * what a killed run loses can be made again from its seed.
 */
async function simulate(task: Task, io: CommandIo): Promise<SimulateResult> {
  const { workload, values, seed, output } = task;
  const writer = createTrace(output, simulatedHeader(workload, toolVersion(), values));
  const wanted = values.number('events');
  const progress = io.progress(`simulating ${workload.name}`, wanted);
  let complete = true;
  try {
    for (const events of workload.generate(writer, values, new Random(seed))) {
      progress.update(Math.min(events, wanted));
      await turn();
      if (io.signal.aborted) {
        complete = false;
        break;
      }
    }
  } finally {
    progress.stop();
  }
  const notes = { workload: workload.name, seed, parameters: values.toObject(), complete };
  writer.finish({ health: EMPTY_HEALTH, notes });
  const { events, bytes } = writer;
  return {
    workload: workload.name,
    seed,
    parameters: values.toObject(),
    output,
    events,
    bytes,
    bytesPerEvent: events === 0 ? 0 : bytes / events,
    complete,
  };
}

function listWorkloads(): string {
  return WORKLOADS.map((workload) => {
    const parameters = describeParameters(workload.parameters).map((line) => `    ${line}\n`);
    return `${workload.name}: ${workload.summary}\n${parameters.join('')}`;
  }).join('\n');
}

/** What `--set` changes, of all workloads. */
const KNOBS = [...new Set(WORKLOADS.flatMap(({ parameters }) => parameters.map(({ name }) => `${name}=`)))].sort();

export const simulateCommand: CommandSpec = {
  name: 'simulate',
  summary: 'make a trace from a seeded workload, of any size',
  args: ['[WORKLOAD]'],
  argValues: [WORKLOADS.map(({ name }) => name)],
  options: [
    { flags: '-o, --output <file>', description: 'the trace to write; - is stdout' },
    {
      flags: '--set <name=value>',
      values: KNOBS,
      list: true,
      description: 'a parameter of the workload; see --list',
      repeatable: true,
    },
    { flags: '--seed <number>', description: 'the same seed makes the same trace', default: '1' },
    {
      flags: '--list',
      description: `show the parameters of all workloads: ${WORKLOADS.map((one) => one.name).join(', ')}`,
    },
    { flags: '--json', description: 'print the result as one JSON document' },
  ],
  examples: [
    {
      command: 'iorr simulate ring-nic -o nic.iorr --set flows=40 --set acks=1.1',
      does: 'a network card with 40 flows on five cores',
    },
    {
      command: 'iorr simulate vm -o vm.iorr --set memory=65536 --set leaf=4k --set hot=512',
      does: 'a passed-through device over 64 GiB of memory, 512 MiB of it hot',
    },
    {
      command: 'iorr simulate zipf -o z.iorr --set events=20M --set pages=1M --set alpha=1 --seed 7',
      does: 'a working set far larger than any IOTLB',
    },
    { command: 'iorr simulate --list', does: 'show what can be set' },
  ],

  async run(invocation: CommandInvocation): Promise<number> {
    const { options, io } = invocation;
    if (options['list'] === true) {
      io.out(listWorkloads());
      return 0;
    }
    const task = readTask(invocation);
    const result = await simulate(task, io);
    if (options['json'] === true) {
      const { seed, parameters } = result;
      const options = { ...parameters, seed };
      const document = makeEnvelope('simulate', {
        version: toolVersion(),
        input: [],
        options,
        health: EMPTY_HEALTH,
        result,
      });
      io.out(toJson(document));
    } else {
      const size = `${result.events} events in ${result.bytes} bytes (${result.bytesPerEvent.toFixed(2)} each)`;
      io.err(`${result.output}: ${size}, ${result.workload} with seed ${result.seed}\n`);
    }
    if (result.complete) return 0;
    io.err(`stopped after ${result.events} of ${task.values.number('events')} events; what was written is readable\n`);
    return INTERRUPTED;
  },
};
