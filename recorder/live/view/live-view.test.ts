import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CLI } from '../../../bench/robustness/kill-run.ts';
import { STREAM_ID, STREAM_NAMES } from '../../../traces/schema.ts';
import { thisSystem } from '../system.ts';
import { NO_LIVE_RECORDING, iorrLive, startProgram } from '../testing/live-machine.ts';
import { frameLine, frameLines } from './live-frame.ts';
import type { LiveMoment } from './live-frame.ts';
import { LiveView } from './live-view.ts';

const ESCAPE = String.fromCharCode(27);

function moment(time: number, maps: number, more: Partial<LiveMoment> = {}): LiveMoment {
  const streams = STREAM_NAMES.map((_, id) => (id === STREAM_ID.map ? maps : 0));
  const owners = [
    { name: 'domain 4', counts: [maps / 4, 0, 0, 0] },
    { name: '0000:00:04.0', counts: [(maps * 3) / 4, 0, 0, 0] },
  ];
  return { time, streams, owners, lost: 0, bytes: maps * 2, fill: 0.25, ...more };
}

const BEFORE = moment(1000, 1000);
const NOW = moment(3000, 5000);
const WIDE = { columns: 100, rows: 40, colour: false };

describe('a frame', () => {
  test('has time, size, losses, rates by stream, the busiest owners first', () => {
    expect(frameLines({ output: 'run.iorr', before: BEFORE, now: NOW }, WIDE)).toEqual([
      'run.iorr: 3.0 s, 5,000 events, 10.0 kB, buffers 25% full',
      'nothing lost',
      '  stream                 events        per s',
      '  map                     5,000        2,000',
      '  device or domain       events       maps/s     unmaps/s   commands/s     faults/s',
      '  0000:00:04.0            3,750        1,500            0            0            0',
      '  domain 4                1,250          500            0            0            0',
    ]);
  });

  test('losses are told in words, in red where colour is wanted; without colour nothing is escaped', () => {
    const frame = { output: 'run.iorr', before: BEFORE, now: moment(3000, 5000, { lost: 1234 }) };
    const plain = frameLines(frame, WIDE);
    expect(plain[1]).toBe('LOST 1,234 events: counts are lower bounds');
    expect(plain.join('')).not.toContain(ESCAPE);
    const painted = frameLines(frame, { ...WIDE, colour: true });
    expect(painted[1]).toBe(`${ESCAPE}[1;31mLOST 1,234 events: counts are lower bounds${ESCAPE}[0m`);
    const unpainted = painted.map((line) => line.replaceAll(new RegExp(`${ESCAPE}\\[[\\d;]*m`, 'g'), ''));
    expect(unpainted).toEqual(plain);
  });

  test.each([
    [20, 24],
    [40, 5],
    [80, 3],
    [1, 1],
    [300, 100],
  ])('fits a terminal of %i columns and %i rows', (columns, rows) => {
    const owners = Array.from({ length: 50 }, (_, i) => ({ name: `domain ${i}`, counts: [i, 0, 0, 0] }));
    const lines = frameLines(
      { output: 'run.iorr', before: BEFORE, now: moment(3000, 5000, { owners }) },
      { columns, rows, colour: false },
    );
    for (const line of lines) expect(line.length).toBeLessThan(Math.max(20, columns));
    expect(lines.length).toBeLessThan(Math.max(3, rows));
  });

  test('as one line it has the same', () => {
    const line = frameLine({ output: 'run.iorr', before: BEFORE, now: NOW });
    expect(line).toBe('3.0 s: 2,000 events/s (map 2,000), nothing lost, 10.0 kB, buffers 25% full');
    const late = moment(3_723_000, 0, { lost: 5, fill: undefined, bytes: 3_500_000 });
    expect(frameLine({ output: 'x', before: BEFORE, now: late })).toContain('1:02:03: ');
    expect(frameLine({ output: 'x', before: BEFORE, now: late })).toContain('LOST 5, 3.5 MB');
  });
});

describe('the view', () => {
  const screenOf = (inPlace: boolean, columns = 100) => {
    const written: string[] = [];
    const screen = {
      write: (text: string) => written.push(text),
      inPlace,
      colour: false,
      size: () => ({ columns, rows: 30 }),
    };
    return { written, view: new LiveView(screen, 'run.iorr') };
  };

  test('draws over its last frame, and takes it away at the end', () => {
    const { written, view } = screenOf(true);
    expect([0, 499, 500].map((time) => view.due(time))).toEqual([false, false, true]);
    view.show(moment(500, 10));
    expect(view.due(900)).toBe(false);
    expect(view.due(1000)).toBe(true);
    view.show(moment(1000, 20));
    view.end();
    view.end();
    expect(written).toHaveLength(3);
    expect(written[0]?.startsWith('run.iorr: 0.5 s')).toBe(true);
    const up = `\r${ESCAPE}[7A${ESCAPE}[J`;
    expect(written[1]?.startsWith(`${up}run.iorr: 1.0 s`)).toBe(true);
    expect(written[2]).toBe(up);
  });

  test('lines that a narrower terminal has wrapped are taken away too', () => {
    let columns = 100;
    const written: string[] = [];
    const screen = {
      write: (text: string) => written.push(text),
      inPlace: true,
      colour: false,
      size: () => ({ columns, rows: 30 }),
    };
    const view = new LiveView(screen, 'run.iorr');
    view.show(moment(500, 10));
    columns = 30;
    view.end();
    const widths = (written[0] ?? '').trimEnd().split('\n');
    const rows = widths.reduce((sum, line) => sum + Math.ceil(line.length / 30), 0);
    expect(written[1]).toBe(`\r${ESCAPE}[${rows}A${ESCAPE}[J`);
  });

  test('where nothing can be drawn over it is one line every two seconds', () => {
    const { written, view } = screenOf(false);
    expect(view.due(1999)).toBe(false);
    view.show(moment(2000, 1000));
    view.show(moment(4000, 11_000));
    view.end();
    expect(written).toEqual([
      'iorr: 2.0 s: 500 events/s (map 500), nothing lost, 2.0 kB, buffers 25% full\n',
      'iorr: 4.0 s: 5,000 events/s (map 5,000), nothing lost, 22.0 kB, buffers 25% full\n',
    ]);
  });
});

const folder = mkdtempSync(join(tmpdir(), 'iorr-live-'));
afterAll(() => rmSync(folder, { recursive: true }));

const noTerminal = thisSystem().program('script') === undefined;
if (noTerminal) process.stderr.write('not tested here: there is no script(1) to make a terminal\n');

interface Shown {
  /** All that the terminal was written between what `stty -g` said before and after. */
  readonly text: string;
  readonly settings: readonly string[];
}

/** Runs `record --live` on a terminal until that shows `until`, then ends it by the signal, or lets it end. */
async function onTerminal(
  environment: string,
  until: RegExp,
  signal: NodeJS.Signals | undefined,
  more = '',
): Promise<Shown> {
  const file = join(folder, 'terminal.iorr');
  const command = `${process.execPath} ${CLI} record --live -o ${file} --event raw_syscalls ${more}`;
  const line = `stty cols 90 rows 20; stty -g; env -u NO_COLOR ${environment} ${command} & echo pid $!; wait $!; stty -g`;
  const child = startProgram('script', ['-qec', `sh -c '${line}'`, '/dev/null']);
  let text = '';
  let ended = false;
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const pid = /pid (\d+)/.exec(text)?.[1];
    if (ended || signal === undefined || pid === undefined || !until.test(text)) return;
    ended = true;
    process.kill(Number(pid), signal);
  });
  await new Promise((resolve) => {
    child.on('close', resolve);
  });
  expect(text).toMatch(until);
  const settings = text.match(/^[0-9a-f:]{30,}/gm) ?? [];
  return { text: text.slice(0, text.lastIndexOf(settings.at(-1) ?? '')), settings };
}

const TWO_FRAMES = new RegExp(`per s[^]*${ESCAPE}\\[J[^]*per s`);

describe.skipIf(NO_LIVE_RECORDING !== undefined || noTerminal)('record --live on this machine', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
    'a frame changes in its place, in colour; %s leaves the terminal as it was',
    async (signal) => {
      const { text, settings } = await onTerminal('TERM=xterm', TWO_FRAMES, signal);
      const frames = text.split(`${ESCAPE}[J`);
      expect(frames[0]).toMatch(/terminal\.iorr: \d+\.\d s, /);
      expect(frames[0]).toContain(`${ESCAPE}[1m`);
      expect(frames[1]).toMatch(/call +[\d,]+ +[1-9]/);
      // The cursor is not hidden, no mode is switched on: nothing has to be put back.
      expect(text).not.toContain(`${ESCAPE}[?`);
      expect(settings).toHaveLength(2);
      expect(settings[0]).toBe(settings[1]);
      // What comes next begins at the first column; after an orderly end the result alone stands there.
      expect(text.endsWith('\r\n')).toBe(true);
      if (signal !== 'SIGKILL') expect(frames.at(-1)).toMatch(/^\S*terminal\.iorr: [\d,]+ events in /);
    },
  );

  test('NO_COLOR has no colour, TERM=dumb and a command on the same terminal have lines', async () => {
    const { text } = await onTerminal('TERM=xterm NO_COLOR=1', TWO_FRAMES, 'SIGTERM');
    expect(text.replaceAll(new RegExp(`${ESCAPE}\\[(\\d+A|J)`, 'g'), '')).not.toContain(ESCAPE);
    const line = /iorr: \d+\.\d s: [\d,]+ events\/s \(.*call /;
    expect((await onTerminal('TERM=dumb', line, 'SIGTERM')).text).not.toContain(ESCAPE);
    expect(
      (await onTerminal('TERM=xterm', line, undefined, '-- timeout 2.5 dd if=/dev/zero of=/dev/null bs=1')).text,
    ).not.toContain(ESCAPE);
  });

  test('what is no terminal has a line every two seconds', () => {
    const file = join(folder, 'line.iorr');
    const { status, stderr } = iorrLive(
      'record',
      '--live',
      '-o',
      file,
      '--event',
      'raw_syscalls',
      '--duration',
      '2.3s',
    );
    expect(status).toBe(0);
    expect(stderr).not.toContain(ESCAPE);
    expect(stderr).toMatch(
      /^iorr: \d\.\d s: [\d,]+ events\/s \(.*call [\d,]+.*\), nothing lost, [\d.]+ [kM]?B, buffers \d+% full\n/,
    );
  });
});
