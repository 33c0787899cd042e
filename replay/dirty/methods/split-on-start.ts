import type { DirtyMethodFactory, DirtyMethodOptions } from '../dirty-method.ts';
import { leafShiftOf } from '../harvest-tables.ts';
import { TableMethod, flushTrouble } from './table-method.ts';
import { eachLargeLeaf, smallestLeaf, splitTrouble } from './split-leaves.ts';

class SplitOnStart extends TableMethod {
  readonly #large: number;
  readonly #small: number;
  #tracking = false;

  constructor(large: number, options: DirtyMethodOptions) {
    super(large, options);
    this.#large = large;
    this.#small = smallestLeaf(options.tables);
  }

  override map(space: number, page: number, pages: number): void {
    super.map(space, page, pages);
    if (this.#tracking) this.#split(space, page, pages);
  }

  override start(space: number, page: number, pages: number): void {
    this.#tracking = true;
    this.#split(space, page, pages);
    super.start(space, page, pages);
  }

  override stop(space: number, page: number, pages: number): void {
    this.#tracking = false;
    eachLargeLeaf(page, pages, this.#large, (at) => {
      this.tables.merge(space, at, this.#large, 2 ** (this.#large - this.#small));
    });
  }

  #split(space: number, page: number, pages: number): void {
    eachLargeLeaf(page, pages, this.#large, (at) => {
      this.tables.split(space, at, this.#small);
    });
  }
}

/** Large leaves become small ones when tracking starts, and large again when it ends. */
export const splitOnStart: DirtyMethodFactory = {
  name: 'split-on-start',
  summary: 'dirty bits; large leaves are split when tracking starts and merged when it ends',
  value: { about: 'size of the leaves when nothing is tracked', default: '2m', parse: leafShiftOf, example: '1g' },
  untrackedLeaf: (large) => large,
  sets: 'hardware',
  protects: false,
  logsAgain: false,
  impossible: splitTrouble,
  misses: flushTrouble,
  plan: () => ({ told: 12, scannedLeaf: 12, bitmap: true, ring: false }),
  create: (large, options) => new SplitOnStart(large, options),
};
