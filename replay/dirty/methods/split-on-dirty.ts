import type { DirtyLeaf } from '../../model/table-dirty.ts';
import type { DirtyMethodFactory, DirtyMethodOptions } from '../dirty-method.ts';
import { leafShiftOf } from '../harvest-tables.ts';
import { PageSet } from '../page-set.ts';
import { smallestLeaf, splitTrouble, eachLargeLeaf } from './split-leaves.ts';
import { TableMethod, flushTrouble } from './table-method.ts';

/**
 * The first harvest that finds a large leaf dirty reports all of it and splits it, so that the next one tells its pages apart;
 * it is merged when tracking ends or, if so told, once it was clean for some harvests in a row.
 */
class SplitOnDirty extends TableMethod {
  readonly #large: number;
  readonly #small: number;
  readonly #leaf: number;
  readonly #mergeAfter: number;
  /** By space: harvests in a row in which a split leaf was clean, by the number of the leaf. */
  readonly #idle: Map<number, number>[] = [];
  /** Split leaves with a dirty page in this harvest. */
  readonly #dirty = new PageSet();

  constructor(large: number, options: DirtyMethodOptions) {
    super(large, options);
    this.#large = large;
    this.#small = smallestLeaf(options.tables);
    this.#leaf = 2 ** (large - 12);
    this.#mergeAfter = options.mergeAfter;
  }

  override unmap(space: number, page: number, pages: number, found?: DirtyLeaf): void {
    super.unmap(space, page, pages, found);
    const idle = this.#idle[space];
    if (idle === undefined || idle.size === 0) return;
    const last = Math.floor((page + pages - 1) / this.#leaf);
    for (let leaf = Math.floor(page / this.#leaf); leaf <= last; leaf++) idle.delete(leaf);
  }

  override harvest(space: number, page: number, pages: number, found: DirtyLeaf): void {
    const idle = (this.#idle[space] ??= new Map());
    const large: number[] = [];
    this.#dirty.clear();
    super.harvest(space, page, pages, (at, count) => {
      found(at, count);
      const leaf = Math.floor(at / this.#leaf);
      if (idle.has(leaf)) this.#dirty.add(leaf);
      else if (count === this.#leaf) large.push(at);
    });
    this.#merge(space, page, pages, idle);
    for (const at of large) {
      if (this.tables.split(space, at, this.#small)) idle.set(at / this.#leaf, 0);
    }
  }

  override stop(space: number, page: number, pages: number): void {
    const idle = this.#idle[space] ?? new Map<number, number>();
    eachLargeLeaf(page, pages, this.#large, (at) => {
      if (idle.delete(at / this.#leaf)) this.#mergeLeaf(space, at / this.#leaf);
    });
  }

  /** Split leaves of a range that stayed clean long enough become one again. */
  #merge(space: number, page: number, pages: number, idle: Map<number, number>): void {
    if (this.#mergeAfter === 0) return;
    for (const [leaf, harvests] of idle) {
      const at = leaf * this.#leaf;
      if (at < page || at + this.#leaf > page + pages) continue;
      if (this.#dirty.has(leaf)) idle.set(leaf, 0);
      else if (harvests + 1 < this.#mergeAfter) idle.set(leaf, harvests + 1);
      else {
        idle.delete(leaf);
        this.#mergeLeaf(space, leaf);
      }
    }
  }

  #mergeLeaf(space: number, leaf: number): void {
    this.tables.merge(space, leaf * this.#leaf, this.#large, 2 ** (this.#large - this.#small));
  }
}

/** Dynamic leaf sizes: fine where memory is written, coarse where it is not. */
export const splitOnDirty: DirtyMethodFactory = {
  name: 'split-on-dirty',
  summary: 'dirty bits; a large leaf is split once it was found dirty, and merged when tracking ends',
  value: { about: 'size of the leaves when nothing is tracked', default: '2m', parse: leafShiftOf, example: '1g' },
  untrackedLeaf: (large) => large,
  sets: 'hardware',
  protects: false,
  logsAgain: false,
  impossible: splitTrouble,
  misses: flushTrouble,
  plan: () => undefined,
  create: (large, options) => new SplitOnDirty(large, options),
};
