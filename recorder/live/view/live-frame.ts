import { STREAM_NAMES } from '../../../traces/schema.ts';
import { OWNER_COLUMNS } from './event-counts.ts';
import type { OwnerCounts } from './event-counts.ts';

/** What a recording is at, at one moment. */
export interface LiveMoment {
  /** ms since the recording began. */
  readonly time: number;
  /** Rows by stream number. */
  readonly streams: ArrayLike<number>;
  readonly owners: readonly OwnerCounts[];
  /** Events that are known to be lost so far. */
  readonly lost: number;
  /** Bytes of the file, or of what is kept in memory. */
  readonly bytes: number;
  /** Of the fullest buffer, 0 to 1; undefined where the source can't tell. */
  readonly fill: number | undefined;
}

/** Two moments, and what the recording is called. Rates are those between the two. */
export interface LiveFrame {
  readonly output: string;
  readonly before: LiveMoment;
  readonly now: LiveMoment;
}

/** Where a frame is shown. */
export interface FrameSize {
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
}

interface Rated {
  readonly name: string;
  readonly total: number;
  readonly rates: readonly number[];
}

const BOLD = '1';
const DIM = '2';
const RED = '31';
const BYTES = ['B', 'kB', 'MB', 'GB', 'TB'] as const;
/** The most devices and domains that are shown. */
const TOP = 10;

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < BYTES.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toFixed(1)} ${BYTES[unit] ?? ''}`;
}

function painter(colour: boolean): (code: string, text: string) => string {
  return colour ? (code, text) => `\u001b[${code}m${text}\u001b[0m` : (_, text) => text;
}

/** Events per second between the frame's two moments. */
function rate({ before, now }: LiveFrame, value: number, earlier = 0): number {
  const passed = now.time - before.time;
  return passed > 0 ? ((value - earlier) * 1000) / passed : 0;
}

function streamRates(frame: LiveFrame): readonly Rated[] {
  const { before, now } = frame;
  return STREAM_NAMES.flatMap((name, id) => {
    const total = now.streams[id] ?? 0;
    return total === 0 ? [] : [{ name, total, rates: [rate(frame, total, before.streams[id])] }];
  });
}

/** The busiest first; those that are as busy, by all that they did. */
function ownerRates(frame: LiveFrame): readonly Rated[] {
  const earlier = new Map(frame.before.owners.map(({ name, counts }) => [name, counts]));
  const rated = frame.now.owners.map(({ name, counts }): Rated => {
    const old = earlier.get(name);
    const rates = counts.map((value, at) => rate(frame, value, old?.[at]));
    return { name, total: counts.reduce((sum, value) => sum + value, 0), rates };
  });
  const busy = ({ rates }: Rated): number => rates.reduce((sum, value) => sum + value, 0);
  return rated.toSorted((a, b) => busy(b) - busy(a) || b.total - a.total || (a.name < b.name ? -1 : 1));
}

function clock(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

function events(moment: LiveMoment): number {
  return Array.from(moment.streams).reduce((sum, rows) => sum + rows, 0);
}

function fillText(fill: number | undefined): string {
  return fill === undefined ? '' : `, buffers ${Math.round(fill * 100)}% full`;
}

// stream              events       per s
function table(headings: readonly string[], rows: readonly Rated[]): readonly string[] {
  const first = Math.max(16, ...rows.map(({ name }) => name.length));
  const line = (name: string, cells: readonly string[]): string =>
    `  ${name.padEnd(first)}${cells.map((cell) => cell.padStart(13)).join('')}`;
  const [heading = '', ...others] = headings;
  return [line(heading, others), ...rows.map(({ name, total, rates }) => line(name, [total, ...rates].map(count)))];
}

/**
 * Lines of at most `columns` characters, fewer than `rows` of them: how long and how much, losses, rates by stream, the busiest
 * devices and domains. Without colour there is no escape sequence in them.
 */
export function frameLines(frame: LiveFrame, { columns, rows, colour }: FrameSize): readonly string[] {
  const { output, now } = frame;
  const paint = painter(colour);
  // The last column is left free: a full line would wrap on some terminals.
  const width = Math.max(19, columns - 1);
  const head = `${output}: ${clock(now.time)}, ${count(events(now))} events, ${size(now.bytes)}${fillText(now.fill)}`;
  const lost = now.lost === 0 ? 'nothing lost' : `LOST ${count(now.lost)} events: counts are lower bounds`;
  const lines = [
    paint(BOLD, head.slice(0, width)),
    now.lost === 0 ? lost : paint(`${BOLD};${RED}`, lost.slice(0, width)),
  ];
  const add = (headings: readonly string[], of: readonly Rated[]): void => {
    // A heading and a row at least.
    const room = rows - 1 - lines.length;
    if (of.length === 0 || room < 2) return;
    table(headings, of.slice(0, room - 1)).forEach((line, at) => {
      const cut = line.slice(0, width);
      lines.push(at === 0 ? paint(DIM, cut) : cut);
    });
  };
  add(['stream', 'events', 'per s'], streamRates(frame));
  add(['device or domain', 'events', ...OWNER_COLUMNS.map((name) => `${name}/s`)], ownerRates(frame).slice(0, TOP));
  return lines;
}

/** One line for what is no terminal; without its line feed. */
export function frameLine(frame: LiveFrame): string {
  const { now } = frame;
  const streams = streamRates(frame);
  const busy = streams.map(({ name, rates }) => `${name} ${count(rates[0] ?? 0)}`).join(', ');
  const all = streams.reduce((sum, { rates }) => sum + (rates[0] ?? 0), 0);
  const rates = streams.length === 0 ? '' : ` (${busy})`;
  const lost = now.lost === 0 ? 'nothing lost' : `LOST ${count(now.lost)}`;
  return `${clock(now.time)}: ${count(all)} events/s${rates}, ${lost}, ${size(now.bytes)}${fillText(now.fill)}`;
}
