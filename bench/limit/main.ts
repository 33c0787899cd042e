import { join } from 'node:path';
import { IorrError } from '../../traces/errors.ts';
import { programExit, programNames, programNumber, programOptions } from '../../traces/program.ts';
import { compareLimit } from './compare-limit.ts';
import { LIMIT_SHAPES } from './limit-streams.ts';
import { describeStream, streamFigure, streamedFileFigure } from './stream-figures.ts';

// npm run bench:limit [-- --shapes dma,z12 --events 8000000 --rounds 9 --workers 1,2 --json]: the kernel against a C program of the same rules.
// npm run bench:limit -- --stream 1e9 [--threads 2 --file --json]: so many events of the shape dma that nothing holds as a whole, made
// on the fly or, by --file, read from a trace that is written first.
/** Of a shape, which is held whole; `--stream` holds nothing. */
const MOST_EVENTS = 40_000_000;

function readOptions() {
  return programOptions({
    options: {
      shapes: { type: 'string', default: LIMIT_SHAPES.map(({ name }) => name).join(',') },
      events: { type: 'string', default: '8000000' },
      rounds: { type: 'string', default: '9' },
      workers: { type: 'string', default: '' },
      stream: { type: 'string', default: '' },
      threads: { type: 'string', default: '2' },
      file: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  }).values;
}

type Options = ReturnType<typeof readOptions>;

async function printStream(values: Options): Promise<number> {
  const events = programNumber('stream', values.stream, 1);
  const threads = programNumber('threads', values.threads, 1);
  const cli = join(import.meta.dirname, '../../cli.js');
  const figure = await (values.file ? streamedFileFigure(cli, events, threads) : streamFigure(events, threads));
  process.stdout.write(`${values.json ? JSON.stringify(figure, null, 2) : describeStream(figure)}\n`);
  return 0;
}

async function printShapes(values: Options): Promise<number> {
  const known = LIMIT_SHAPES.map(({ name }) => name);
  const names = programNames('shape', [values.shapes], known);
  const options = {
    events: programNumber('events', values.events, 1),
    rounds: programNumber('rounds', values.rounds, 1),
    workers: values.workers === '' ? [] : values.workers.split(',').map((text) => programNumber('workers', text, 1)),
  };
  if (options.events > MOST_EVENTS) {
    throw new IorrError('USAGE', `--events ${values.events}: at most ${MOST_EVENTS}; --stream takes more`);
  }
  let same = true;
  const results = [];
  if (!values.json) {
    process.stdout.write(
      'million events per second of CPU time and core; ratio: median of rounds, turn by turn\n' +
        'shape     C   kernel  ratio  goal  from file  bytes/event  counts\n',
    );
  }
  for (const shape of LIMIT_SHAPES) {
    if (!names.includes(shape.name)) continue;
    const result = await compareLimit(shape, options);
    results.push(result);
    same &&= result.differences.length === 0;
    if (values.json) continue;
    const { name, yardstick, kernel, ratio, goal, fromFile, bytesPerEvent, differences } = result;
    const cells = [
      name.padEnd(5),
      yardstick.toFixed(1).padStart(7),
      kernel.toFixed(1).padStart(7),
      ratio.toFixed(2).padStart(6),
      goal.toFixed(1).padStart(5),
      fromFile.toFixed(1).padStart(10),
      bytesPerEvent.toFixed(2).padStart(12),
      ` ${differences.length === 0 ? 'identical' : differences.join('; ')}`,
    ];
    process.stdout.write(`${cells.join(' ')}\n`);
    for (const { workers, seconds, times, ceiling } of result.workers) {
      process.stdout.write(
        `      from file by ${workers} threads: ${seconds.toFixed(2)} s, ${times.toFixed(2)} times as fast as by one; ${workers} C programs at once: ${ceiling.toFixed(2)} times the work of one\n`,
      );
    }
  }
  if (values.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  return same ? 0 : 1;
}

process.exitCode = await programExit('bench:limit', async () => {
  const values = readOptions();
  return values.stream === '' ? printShapes(values) : printStream(values);
});
