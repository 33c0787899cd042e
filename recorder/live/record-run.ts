import { setTimeout as sleep } from 'node:timers/promises';
import type { LiveRun } from './live-source.ts';
import type { RecordOutput } from './record-output.ts';
import type { StopReason } from './record-result.ts';
import type { TracedCommand } from './traced-command.ts';

/** What was recorded is in the file after this time, or a few of it on a busy machine: a kill costs a second at most. */
const FLUSH_MS = 250;
/** The kernel's buffers are looked after this often; at 2 million events a second they fill in a tenth of a second. */
const POLL_MS = 10;
/** Processes that are recorded by their id are looked after this often. */
const LOOK_MS = 200;

export interface RunLimits {
  /** Milliseconds. */
  readonly duration: number | undefined;
  /** Bytes written. */
  readonly maxSize: number | undefined;
}

/** Asked to stop from outside. */
export interface StopRequest {
  readonly signal: AbortSignal;
}

/**
 * Takes events until something ends the recording; says what. `isGone` tells that nobody is left to be recorded; `watch` is
 * called now and then with the ms since the beginning.
 */
export async function takeEvents(
  run: LiveRun,
  output: RecordOutput,
  limits: RunLimits,
  command: TracedCommand | undefined,
  stop: StopRequest,
  isGone: () => boolean,
  watch: (time: number) => void,
): Promise<StopReason> {
  const begun = performance.now();
  let flushed = begun;
  let looked = begun;
  for (;;) {
    // What a slow reader can't take stays with the kernel, which counts what it must drop.
    const more = !output.full && run.poll();
    const now = performance.now();
    if (now - flushed >= FLUSH_MS) {
      output.writer.flush();
      flushed = now;
    }
    watch(now - begun);
    if (command?.over === true) return 'command';
    if (now - looked >= LOOK_MS) {
      looked = now;
      if (isGone()) return 'gone';
    }
    if (stop.signal.aborted) return 'signal';
    if (limits.duration !== undefined && now - begun >= limits.duration) return 'duration';
    if (limits.maxSize !== undefined && output.writer.bytes >= limits.maxSize) return 'size';
    const left = limits.duration === undefined ? POLL_MS : Math.max(0, limits.duration - (now - begun));
    // Even if there is more, timers and signals have their turn.
    await sleep(more ? 0 : Math.min(POLL_MS, left), undefined, { signal: stop.signal }).catch(() => {});
  }
}
