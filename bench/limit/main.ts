import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareLimit } from './compare-limit.ts';
import { LIMIT_SHAPES } from './limit-streams.ts';
import { describeStream, streamFigure, streamedFileFigure } from './stream-figures.ts';

// npm run bench:limit [-- --shapes dma,z12 --events 8000000 --rounds 9 --workers 1,2 --json]: the kernel against a C program of the same rules.
// npm run bench:limit -- --stream 1e9 [--threads 2 --file --json]: so many events of the shape dma that nothing holds as a whole, made
// on the fly or, by --file, read from a trace that is written first.
const { values } = parseArgs({
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
});

/** Of a shape, which is held whole; `--stream` holds nothing. */
const MOST_EVENTS = 40_000_000;

async function printStream(events: number, threads: number): Promise<void> {
  const cli = join(import.meta.dirname, '../../cli.js');
  const figure = await (values.file ? streamedFileFigure(cli, events, threads) : streamFigure(events, threads));
  process.stdout.write(`${values.json ? JSON.stringify(figure, null, 2) : describeStream(figure)}\n`);
}

async function printShapes(): Promise<void> {
  const names = values.shapes.split(',');
  const options = {
    events: Number(values.events),
    rounds: Number(values.rounds),
    workers: values.workers === '' ? [] : values.workers.split(',').map(Number),
  };
  if (!(options.events >= 1 && options.events <= MOST_EVENTS)) {
    process.stderr.write(
      `--events ${values.events}: a number from 1 to ${MOST_EVENTS} expected; --stream takes more\n`,
    );
    process.exitCode = 2;
    return;
  }
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
    if (result.differences.length > 0) process.exitCode = 1;
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
}

await (values.stream === '' ? printShapes() : printStream(Number(values.stream), Number(values.threads)));
