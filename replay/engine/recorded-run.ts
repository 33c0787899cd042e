import { VTD_TYPE_NAMES } from '../../traces/dialects/vtd-fields.ts';
import type { Segment } from '../../traces/segment.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import type { Machine } from '../model/machine.ts';
import { createMachine } from '../model/vtd-machine.ts';
import type { RecordedResult } from '../results.ts';
import { createPlayer } from './replay.ts';
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
    const { counts } = this.#player.controls;
    const found = this.#machine.finish(this.#end);
    const accesses = this.#player.counts.accesses > 0;
    const truth = accesses && counts.maps + counts.unmaps > counts.unattributed;
    const commandsByType: { [type: string]: number } = {};
    counts.byType.forEach((n, type) => {
      if (n > 0) commandsByType[VTD_TYPE_NAMES[type] ?? 'undefined'] = n;
    });
    return {
      name: 'recorded',
      path: 'native',
      unmaps: counts.unmaps,
      commands: counts.commands,
      commandsByType,
      // A driver's own trace shows its commands, not its waits and tail writes.
      syncs: counts.syncs === 0 && counts.commands > 0 ? null : counts.syncs,
      doorbells: counts.doorbells === 0 && counts.commands > 0 ? null : counts.doorbells,
      exits: null,
      ioctls: null,
      cpuNs: null,
      stallNs: null,
      iotlb: accesses ? found.iotlb : null,
      exposure: truth ? found.exposure : null,
      stale: truth ? found.stale : null,
      wasted: accesses ? found.wasted : null,
      series: this.#series.finish(totals),
    };
  }
}
