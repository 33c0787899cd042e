/** Mappings kept leaf by leaf in a Map, for tests: what tables must hold, without any table. */
export interface Mapped {
  readonly start: number;
  readonly pages: number;
  readonly out: number;
  /** 1 read, 2 write, as the format can express it. */
  readonly access: number;
  accessed: boolean;
  dirty: boolean;
}

export interface ReferenceRules {
  /** Pages of each leaf size, ascending. */
  readonly sizes: readonly number[];
  readonly lpae: boolean;
  /** log2 of a table's entries. */
  readonly indexBits: number;
  /** What a mapping for `prot` allows. */
  readonly allows: (prot: number) => number;
  /** Whether a fresh leaf is accessed, and dirty if it is writable; whether it ever gets dirty. */
  readonly fresh: { readonly accessed: boolean; readonly dirty: boolean };
  readonly tracksDirty: boolean;
}

export class ReferenceMappings {
  readonly leaves = new Map<number, Mapped>();
  readonly #rules: ReferenceRules;

  constructor(rules: ReferenceRules) {
    this.#rules = rules;
  }

  get pages(): number {
    let pages = 0;
    for (const leaf of this.leaves.values()) pages += leaf.pages;
    return pages;
  }

  at(page: number): Mapped | undefined {
    for (const size of this.#rules.sizes) {
      const leaf = this.leaves.get(page - (page % size));
      if (leaf?.pages === size) return leaf;
    }
    return undefined;
  }

  /** Returns whether it was done: strict maps over mappings are not. */
  map(page: number, out: number, count: number, prot: number, strict: boolean): boolean {
    const written: number[] = [];
    for (let done = 0; done < count; ) {
      const [at, to] = [page + done, out + done];
      const size = this.#rules.sizes.findLast((s) => at % s === 0 && to % s === 0 && s <= count - done) ?? 0;
      if (strict && this.#inWay(at, size)) {
        for (const start of written) this.leaves.delete(start);
        return false;
      }
      for (let larger = this.at(at); larger !== undefined && larger.pages > size; larger = this.at(at)) this.split(at);
      for (const leaf of this.within(at, size)) this.leaves.delete(leaf.start);
      const access = this.#rules.allows(prot);
      const { fresh, tracksDirty } = this.#rules;
      const dirty = tracksDirty && fresh.dirty && (access & 2) !== 0;
      this.leaves.set(at, { start: at, pages: size, out: to, access, accessed: fresh.accessed, dirty });
      written.push(at);
      done += size;
    }
    return true;
  }

  /** LPAE puts a block in place of a table whatever that maps, but not in place of a leaf. */
  #inWay(at: number, size: number): boolean {
    const inside = this.within(at, size);
    return this.#rules.lpae ? inside.some((leaf) => this.#level(leaf.pages) >= this.#level(size)) : inside.length > 0;
  }

  #level(pages: number): number {
    return Math.floor(Math.log2(pages / (this.#rules.sizes[0] ?? 1)) / this.#rules.indexBits);
  }

  within(page: number, count: number): Mapped[] {
    const granule = this.#rules.sizes[0] ?? 1;
    if (count / granule < this.leaves.size) {
      const found = new Set<Mapped>();
      for (let at = page; at < page + count; at += granule) {
        const leaf = this.at(at);
        if (leaf !== undefined) found.add(leaf);
      }
      return [...found];
    }
    return [...this.leaves.values()].filter((leaf) => leaf.start < page + count && leaf.start + leaf.pages > page);
  }

  /** Whether every page of a range is mapped. */
  whole(page: number, count: number): boolean {
    let at = page;
    for (let leaf = this.at(at); leaf !== undefined && at < page + count; leaf = this.at(at))
      at = leaf.start + leaf.pages;
    return at >= page + count;
  }

  /** Returns the pages removed. */
  unmap(page: number, count: number, granule: number, strict: boolean): number {
    let removed = 0;
    for (let at = page; at < page + count; ) {
      const leaf = this.at(at);
      if (leaf === undefined) {
        if (strict) break;
        at += granule;
        continue;
      }
      if (leaf.start !== at || (this.#rules.lpae && leaf.start + leaf.pages > page + count)) break;
      this.leaves.delete(at);
      removed += leaf.pages;
      at += leaf.pages;
    }
    return removed;
  }

  /** Returns how many leaves there are now in place of one. */
  split(page: number): number {
    const leaf = this.at(page);
    const size = leaf === undefined ? undefined : this.#rules.sizes.findLast((s) => s < leaf.pages);
    if (leaf === undefined || size === undefined) return 0;
    this.leaves.delete(leaf.start);
    for (let i = 0; i < leaf.pages; i += size) {
      this.leaves.set(leaf.start + i, { ...leaf, start: leaf.start + i, pages: size, out: leaf.out + i });
    }
    return leaf.pages / size;
  }

  merge(page: number, pages: number): boolean {
    const start = page - (page % pages);
    const inside = this.within(start, pages).sort((a, b) => a.start - b.start);
    const first = inside[0];
    if (first === undefined || first.pages >= pages || first.out % pages !== 0) return false;
    let next = start;
    for (const leaf of inside) {
      if (leaf.start !== next || leaf.out !== first.out + leaf.start - start || leaf.access !== first.access)
        return false;
      next += leaf.pages;
    }
    if (next !== start + pages) return false;
    for (const leaf of inside) this.leaves.delete(leaf.start);
    const accessed = inside.some((leaf) => leaf.accessed);
    const dirty = inside.some((leaf) => leaf.dirty);
    this.leaves.set(start, { start, pages, out: first.out, access: first.access, accessed, dirty });
    return true;
  }

  /** An access by the device; returns whether it went through. */
  access(page: number, write: boolean): boolean {
    const leaf = this.at(page);
    if (leaf === undefined || (leaf.access & (write ? 2 : 1)) === 0) return false;
    leaf.accessed = true;
    if (write && this.#rules.tracksDirty) leaf.dirty = true;
    return true;
  }

  /** Dirty pages of a range. LPAE's harvest ends at a hole. */
  harvest(page: number, count: number, clear: boolean, granule: number): [number, number][] {
    const found: [number, number][] = [];
    for (let at = page; at < page + count; ) {
      const leaf = this.at(at);
      if (leaf === undefined) {
        if (this.#rules.lpae) break;
        at += granule;
        continue;
      }
      const end = leaf.start + leaf.pages;
      if (leaf.dirty) found.push([at, Math.min(end, page + count) - at]);
      if (clear) leaf.dirty = false;
      at = end;
    }
    return found;
  }
}
