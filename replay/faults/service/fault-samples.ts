import { Samples } from './samples.ts';

/** The durations that are told of a run. */
export class FaultSamples {
  readonly response: Samples;
  readonly done: Samples;
  readonly device: Samples;
  readonly queue: Samples;
  readonly server: Samples;
  readonly service: Samples;
  readonly batch: Samples;

  constructor(keep: boolean) {
    this.response = new Samples(keep);
    this.done = new Samples(keep);
    this.device = new Samples(keep);
    this.queue = new Samples(keep);
    this.server = new Samples(keep);
    this.service = new Samples(keep);
    this.batch = new Samples(keep);
  }
}
