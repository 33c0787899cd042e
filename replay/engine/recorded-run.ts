import type { Segment } from '../../traces/segment.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import type { Machine } from '../model/machine.ts';
import { createMachine } from '../model/create-machine.ts';
import type { RecordedResult } from '../results.ts';
import { createPlayer, replayFigures } from './replay.ts';
import type { ModelledAccesses, Player } from './replay.ts';
import { SeriesBuilder } from './time-series.ts';

/** The trace's own commands, replayed on the same hardware as the designs: the row that they are compared with. */
export class RecordedRun {
  readonly #machine: Machine;
  readonly #series = new SeriesBuilder();
  readonly #player: Player;
  #end = 0;

  /** With `accesses` a model stands in for the recorded ones. */
  constructor(hardware: HardwareProfile, accesses?: ModelledAccesses) {
    this.#machine = createMachine(hardware, { unmappedAccess: accesses === undefined ? 'fill' : 'fault' });
    this.#player = createPlayer(this.#machine, this.#series, accesses);
  }

  segment(segment: Segment): void {
    this.#player.play(segment, 0);
    if (segment.count > 0) this.#end = Math.max(this.#end, segment.time[segment.count - 1] ?? 0);
  }

  /** Call once, last. */
  finish(): RecordedResult {
    const totals = this.#player.totals();
    const { unmaps } = this.#player.controls.counts;
    const { iotlb, commands, commandsByType, syncs, doorbells, exposure, stale, wasted } = replayFigures(
      this.#player,
      this.#machine.finish(this.#end),
    );
    return {
      name: 'recorded',
      path: 'native',
      unmaps,
      commands,
      commandsByType,
      // A driver's own trace shows its commands, not its waits and tail writes.
      syncs: syncs === 0 && commands > 0 ? null : syncs,
      doorbells: doorbells === 0 && commands > 0 ? null : doorbells,
      exits: null,
      ioctls: null,
      cpuNs: null,
      stallNs: null,
      iotlb,
      exposure,
      stale,
      wasted,
      series: this.#series.finish(totals),
    };
  }
}
