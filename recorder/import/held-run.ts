import { memorySource } from '../../traces/format/bytes-io.ts';
import type { ByteSource } from '../../traces/format/bytes-io.ts';
import type { ImportFacts, ImportRun, ImportTarget, WholeRun } from './importer.ts';

/** Most bytes that are held of an input that can't be read in any order. */
const MAX_HELD = 1024 * 1024 * 1024;

/** Holds an input that comes in pieces until it is whole, for importers whose parts lie anywhere. */
export class HeldRun implements ImportRun {
  readonly #target: ImportTarget;
  readonly #open: (target: ImportTarget, bytes: ByteSource) => WholeRun;
  readonly #parts: Uint8Array[] = [];
  #held = 0;

  constructor(target: ImportTarget, open: (target: ImportTarget, bytes: ByteSource) => WholeRun) {
    this.#target = target;
    this.#open = open;
  }

  push(chunk: Uint8Array): void {
    const take = Math.min(chunk.length, MAX_HELD - this.#held);
    if (take > 0) this.#parts.push(Uint8Array.from(chunk.subarray(0, take)));
    this.#held += take;
    if (take < chunk.length) this.#target.health.add('truncated', 'input of more than 1 GiB', undefined, 1);
  }

  end(): ImportFacts {
    const run = this.#open(this.#target, memorySource(Buffer.concat(this.#parts)));
    this.#parts.length = 0;
    while (run.step());
    return run.end();
  }
}
