import { frameLine, frameLines } from './live-frame.ts';
import type { LiveMoment } from './live-frame.ts';

/** A terminal, or what stands for one. */
export interface LiveScreen {
  write(text: string): void;
  /** False: one line every few seconds instead of a frame that changes in its place. */
  readonly inPlace: boolean;
  readonly colour: boolean;
  /** Of the terminal now. */
  size(): { readonly columns: number; readonly rows: number };
}

const FRAME_MS = 500;
const LINE_MS = 2000;
/** Rates are of this time: short enough to follow, long enough to read. */
const RATE_FRAMES = 4;

/**
 * Shows what a recording is at. The cursor is never hidden and stays on the line below, so that there is nothing to put back,
 * however the recorder ends.
 */
export class LiveView {
  readonly #screen: LiveScreen;
  readonly #output: string;
  readonly #period: number;
  readonly #moments: LiveMoment[] = [];
  /** Widths of the lines that stand there. */
  #shown: readonly number[] = [];
  #next: number;

  constructor(screen: LiveScreen, output: string) {
    this.#screen = screen;
    this.#output = output;
    this.#period = screen.inPlace ? FRAME_MS : LINE_MS;
    this.#next = this.#period;
  }

  /** `time` is ms since the recording began. */
  due(time: number): boolean {
    return time >= this.#next;
  }

  show(now: LiveMoment): void {
    this.#next = now.time + this.#period;
    const moments = this.#moments;
    const frame = { output: this.#output, before: moments[0] ?? START, now };
    moments.push(now);
    const screen = this.#screen;
    if (!screen.inPlace) {
      moments.splice(0, moments.length - 1);
      screen.write(`iorr: ${frameLine(frame)}\n`);
      return;
    }
    if (moments.length > RATE_FRAMES) moments.shift();
    const { columns, rows } = screen.size();
    const lines = frameLines(frame, { columns, rows, colour: false });
    const painted = screen.colour ? frameLines(frame, { columns, rows, colour: true }) : lines;
    // One write: a frame that is half there would flicker.
    screen.write(`${this.#erase(columns)}${painted.join('\n')}\n`);
    this.#shown = lines.map((line) => line.length);
  }

  /** Takes the frame away; what is written next stands in its place. */
  end(): void {
    if (this.#shown.length > 0) this.#screen.write(this.#erase(this.#screen.size().columns));
    this.#shown = [];
  }

  /** Back to the first line of the frame, and clear from there. A terminal that became narrower has wrapped its lines. */
  #erase(columns: number): string {
    const up = this.#shown.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    return up === 0 ? '' : `\r\u001b[${up}A\u001b[J`;
  }
}

const START: LiveMoment = { time: 0, streams: [], owners: [], lost: 0, bytes: 0, fill: undefined };
