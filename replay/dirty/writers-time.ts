import type { WriteStream } from './write-stream.ts';

/**
 * The stream in the time that its writers ran: a machine that was recorded while its CPUs were held back for 60 % of the time
 * would have written the same in 40 % of it. What a migration writes is played from this, and held back by its own throttle.
 */
export function inWritersTime(stream: WriteStream): WriteStream {
  const { held, time, length, startNs, endNs } = stream;
  if (held.length === 0) return stream;
  const clock = new WritersClock(stream);
  const passed = new Float64Array(time.length);
  for (let i = 0; i < length; i++) passed[i] = clock.at(time[i]!);
  return {
    ...stream,
    time: passed,
    startNs: clock.at(startNs),
    endNs: clock.at(endNs),
    harvests: stream.harvests.map((at) => clock.at(at)),
    held: [],
  };
}

/** Time since the start less what was held back. */
class WritersClock {
  readonly #from: readonly number[];
  readonly #passed: readonly number[];
  readonly #rate: readonly number[];
  #piece = 0;

  constructor({ held }: WriteStream) {
    const from = [0];
    const passed = [0];
    const rate = [1];
    for (const { timeNs, percent } of held) {
      const last = from.length - 1;
      // changes come in order of time
      const at = Math.max(timeNs, from[last]!);
      passed.push(passed[last]! + (at - from[last]!) * rate[last]!);
      from.push(at);
      rate.push(1 - percent / 100);
    }
    this.#from = from;
    this.#passed = passed;
    this.#rate = rate;
  }

  at(time: number): number {
    const from = this.#from;
    let piece = this.#piece;
    while (piece > 0 && from[piece]! > time) piece--;
    while (piece + 1 < from.length && from[piece + 1]! <= time) piece++;
    this.#piece = piece;
    return this.#passed[piece]! + (time - from[piece]!) * this.#rate[piece]!;
  }
}
