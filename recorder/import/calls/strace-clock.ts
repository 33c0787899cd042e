import type { TraceClock } from '../../../traces/header.ts';
import type { StraceTime } from './strace-line.ts';

const DAY = 86_400;
/** Times since the epoch are above, times since the line before below. */
const RELATIVE_BELOW = 1_000_000;

/**
 * Turns the times that strace prints into ns since the first one: of the day (-t, -tt), since the epoch (-ttt), since the
 * line before (-r), or none at all (every line a nanosecond after the one before, so that order stays).
 */
export class StraceClock {
  readonly #epochSeconds: number;
  readonly #epochNanoseconds: number;
  readonly #name: string;
  /** Seconds of the days that went by since the first line. */
  #days = 0;
  #previous = 0;
  #relative = 0;

  constructor(clock: TraceClock) {
    const epoch = BigInt(clock.epochNs);
    this.#epochSeconds = Number(epoch / 1_000_000_000n);
    this.#epochNanoseconds = Number(epoch % 1_000_000_000n);
    this.#name = clock.name;
  }

  /** The clock of a trace whose first line has this time. */
  static describe(first: StraceTime | undefined): TraceClock {
    if (first === undefined) return { epochNs: '0', name: 'unknown', resolutionNs: 0 };
    const { seconds, nanoseconds, digits, form } = first;
    const resolutionNs = 10 ** (9 - digits);
    if (form === 'seconds' && seconds < RELATIVE_BELOW) return { epochNs: '0', name: 'unknown', resolutionNs };
    const epochNs = `${BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)}`;
    return { epochNs, name: form === 'seconds' ? 'realtime' : 'time of day', resolutionNs };
  }

  /** ns since the first line; `now` is the newest time of the trace. */
  read(time: StraceTime | undefined, now: number): number {
    if (time === undefined) return now + 1;
    const { seconds, nanoseconds, form } = time;
    if (form === 'seconds' && this.#name === 'unknown') {
      const next = this.#relative + seconds * 1e9 + nanoseconds;
      if (!Number.isSafeInteger(next)) return now;
      this.#relative = next;
      return next;
    }
    if (form === 'clock') {
      // Threads print in any order; only half a day back is another day.
      if (seconds + DAY / 2 < this.#previous) this.#days += DAY;
      this.#previous = seconds;
    }
    const since = (seconds + this.#days - this.#epochSeconds) * 1e9 + (nanoseconds - this.#epochNanoseconds);
    return Number.isSafeInteger(since) && since >= 0 ? since : now;
  }
}
