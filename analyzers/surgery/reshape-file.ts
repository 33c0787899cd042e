import { statSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import type { CommandInvocation, CommandIo, CommandOption } from '../../traces/command.ts';
import { INTERRUPTED } from '../../traces/command.ts';
import { writingBesideReading } from '../../traces/encoding-thread.ts';
import { describeInput, makeEnvelope } from '../../traces/envelope.ts';
import type { EffectiveOptions } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { createTrace, openTrace } from '../../traces/file.ts';
import type { OpenTrace } from '../../traces/file.ts';
import { Health } from '../../traces/health.ts';
import type { HealthReport } from '../../traces/health.ts';
import { toJson } from '../../traces/plain-json.ts';
import { toolVersion } from '../../traces/tool.ts';
import { healthCaveats } from '../report/health-lines.ts';
import type { Surgery } from './surgery.ts';
import { surgeryNotes } from './surgery.ts';

/** Options that every command has that makes a trace from another. */
export const OUTPUT_OPTIONS: readonly CommandOption[] = [
  { flags: '-o, --output <file>', description: 'the trace to write; - is stdout' },
  { flags: '--json', description: 'one JSON document on stdout' },
];

export interface ReshapeTask {
  readonly command: string;
  readonly input: string;
  readonly output: string;
  readonly json: boolean;
}

/** Where from and where to. Throws USAGE. */
export function reshapeTask(command: string, { args, options }: CommandInvocation): ReshapeTask {
  const { output } = options;
  const [input] = args;
  const example = `iorr ${command} run.iorr -o ${command}.iorr`;
  if (input === undefined) throw new IorrError('USAGE', 'a trace expected', { hint: example });
  if (typeof output !== 'string' || output === '') {
    throw new IorrError('USAGE', 'where to? -o FILE is missing', { hint: `iorr ${command} ${input} -o FILE` });
  }
  const json = options['json'] === true;
  if (output === '-' && json) {
    throw new IorrError('USAGE', '-o - and --json would both write to stdout', { hint: 'name a file with -o' });
  }
  return { command, input, output, json };
}

/** Throws FILE_UNWRITABLE where the output is the input, by whatever path: it would be emptied before it is read. */
export function checkNotInput(output: string, input: string): void {
  if (output === '-' || input === '-') return;
  const to = statSync(output, { throwIfNoEntry: false });
  const from = statSync(input, { throwIfNoEntry: false });
  if (to === undefined || from === undefined || !to.isFile() || to.dev !== from.dev || to.ino !== from.ino) return;
  throw new IorrError('FILE_UNWRITABLE', `it is the input ${input}`, {
    place: { file: output },
    hint: 'name another file with -o: a trace is never overwritten by what is made of it',
  });
}

/** What was written. */
export interface Reshaped<R> {
  readonly done: R;
  readonly events: number;
  readonly bytes: number;
  /** False where Ctrl-C ended it: the file is whole, but stops there. */
  readonly complete: boolean;
}

/** What a summary says whether the run came to its end or not. */
export interface ReshapeFacts {
  readonly notes: OpenTrace['notes'];
  /** Complete only after all was read. */
  readonly health: () => HealthReport;
}

/**
 * Writes what `surgery` makes of a trace, segment by segment. `entry` is what the notes say of it. A run that is killed leaves a
 * file that reads up to there.
 */
export async function writeReshaped<R>(
  io: CommandIo,
  command: string,
  facts: ReshapeFacts,
  surgery: Surgery<R>,
  output: string,
  entry: (done: R) => object,
): Promise<Reshaped<R>> {
  const writer = createTrace(output, surgery.header, writingBesideReading());
  const progress = io.progress(command, 0);
  const steps = surgery.steps(writer);
  try {
    let segments = 0;
    let step = steps.next();
    while (step.done !== true) {
      progress.update(++segments);
      writer.tick(performance.now());
      // lets Ctrl-C through
      await turn();
      if (io.signal.aborted) break;
      step = steps.next();
    }
    if (step.done !== true) {
      const health = new Health();
      health.merge(facts.health());
      health.add('truncated', `${command} was interrupted`);
      writer.finish({ health: health.report(), notes: facts.notes });
      return { done: undefined as R, events: writer.events, bytes: writer.bytes, complete: false };
    }
    writer.finish({ health: facts.health(), notes: surgeryNotes(facts.notes, command, entry(step.value)) });
    return { done: step.value, events: writer.events, bytes: writer.bytes, complete: true };
  } finally {
    progress.stop();
    writer.close();
  }
}

/** The whole of a command that makes one trace from one. `text`: what stderr says of it. */
export async function reshape<R extends object>(
  invocation: CommandInvocation,
  task: ReshapeTask,
  options: EffectiveOptions,
  make: (trace: OpenTrace) => Surgery<R>,
  text: (done: R) => string,
  entry: (done: R) => object = (done) => done,
): Promise<number> {
  const { io } = invocation;
  checkNotInput(task.output, task.input);
  const trace = openTrace(task.input);
  try {
    const surgery = make(trace);
    const facts = { notes: trace.notes, health: () => trace.health };
    const reshaped = await writeReshaped(io, task.command, facts, surgery, task.output, entry);
    return finishReshape(io, task, trace, reshaped, options, text);
  } finally {
    trace.close();
  }
}

/** What a command says when the file is written, and its exit code. */
export function finishReshape<R extends object>(
  io: CommandIo,
  task: ReshapeTask,
  trace: OpenTrace,
  reshaped: Reshaped<R>,
  options: EffectiveOptions,
  text: (done: R) => string,
): number {
  if (!reshaped.complete) return INTERRUPTED;
  const { done, events, bytes } = reshaped;
  io.err(text(done));
  for (const caveat of healthCaveats(trace.health)) io.err(`  ! ${caveat}\n`);
  if (task.json) {
    const input = [describeInput(task.input, trace, trace.bytes)];
    const result = { ...done, output: task.output, events, bytes };
    const { health } = trace;
    io.out(toJson(makeEnvelope(task.command, { version: toolVersion(), input, options, health, result })));
  }
  return 0;
}
