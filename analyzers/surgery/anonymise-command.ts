import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { CommandInvocation, CommandSpec } from '../../traces/command.ts';
import { INTERRUPTED } from '../../traces/command.ts';
import { IorrError } from '../../traces/errors.ts';
import { openTrace } from '../../traces/file.ts';
import { formatCount } from '../report/format-units.ts';
import { anonymiseTrace } from './anonymise/anonymise-trace.ts';
import type { AnonymiseReport } from './anonymise/anonymise-trace.ts';
import { Keyed } from './anonymise/keyed.ts';
import { survey } from './anonymise/survey.ts';
import { OUTPUT_OPTIONS, checkNotInput, finishReshape, reshapeTask, writeReshaped } from './reshape-file.ts';

const RANDOM_KEY_BYTES = 16;

function reportText(report: AnonymiseReport, random: boolean): string {
  const list = (title: string, items: readonly { what: string; count: number }[]): string[] =>
    items.map(({ what, count }) => `  ${title} ${formatCount(count)} ${what}`);
  const lines = [
    `iorr: ${formatCount(report.kept)} of ${formatCount(report.events)} events, ${formatCount(report.addressSpaces)} address spaces moved by multiples of 1 GiB${random ? '; the key was random and is not stored' : ''}`,
    ...list('changed', report.changed),
    ...list('left out', report.dropped),
    ...list('emptied', report.emptied),
    ...report.removed.map((what) => `  removed ${what}`),
    ...report.unchanged.map((what) => `  kept    ${what}`),
    `  counts  ${report.counts}`,
  ];
  return `${lines.join('\n')}\n`;
}

async function run(invocation: CommandInvocation): Promise<number> {
  const { io, options } = invocation;
  const task = reshapeTask('anonymise', invocation);
  const { key } = options;
  if (key !== undefined && (typeof key !== 'string' || key.length < 8)) {
    throw new IorrError('USAGE', '--key: at least 8 characters expected: a short one can be guessed', {
      hint: 'leave --key out for a random one, or keep one to treat several traces alike',
    });
  }
  const random = key === undefined;
  const keyed = new Keyed(typeof key === 'string' ? key : randomBytes(RANDOM_KEY_BYTES).toString('hex'));
  checkNotInput(task.output, task.input);
  const trace = openTrace(task.input);
  try {
    const steps = survey(trace);
    let step = steps.next();
    while (step.done !== true) {
      await turn();
      if (io.signal.aborted) return INTERRUPTED;
      step = steps.next();
    }
    const anonymous = anonymiseTrace(trace, step.value, keyed, options['dropUnknown'] === true);
    const entry = (done: AnonymiseReport): object => ({ key: `${random ? 'random' : 'given'}, not stored`, ...done });
    const reshaped = await writeReshaped(io, task.command, anonymous, anonymous, task.output, entry);
    const given = { dropUnknown: options['dropUnknown'] === true, key: random ? 'random' : 'given' };
    return finishReshape(io, task, trace, reshaped, given, (done) => reportText(done, random));
  } finally {
    trace.close();
  }
}

export const anonymiseCommand: CommandSpec = {
  name: 'anonymise',
  summary: 'writes a trace without addresses, process ids and names, for which all counts are the same',
  args: ['FILE'],
  options: [
    ...OUTPUT_OPTIONS,
    { flags: '--key <text>', description: 'what all changes follow from; default: random, and not stored' },
    {
      flags: '--drop-unknown',
      description: 'leave out what nobody knows how to change, instead of refusing the trace',
    },
  ],
  examples: [
    { command: 'iorr anonymise run.iorr -o public.iorr', does: 'to share; says what was changed' },
    {
      command: "iorr anonymise before.iorr --key 'some words' -o a.iorr",
      does: 'the same names as in another trace with this key',
    },
    { command: 'iorr anonymise run.iorr --drop-unknown -o public.iorr', does: 'without raw kernel events' },
  ],
  run,
};
