import type { Pages } from './pages.ts';

export const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** A mapped range of IOVAs (struct iopt_area), and its node in the tree. Both ends inclusive. */
export class Area {
  readonly start: bigint;
  readonly last: bigint;
  readonly pages: Pages;
  /** Byte of `pages` at `start`. */
  readonly startByte: number;
  /** 1 READ, 2 WRITE. */
  readonly prot: number;
  /** Pins of accesses in the area. */
  accesses = 0;
  /** Held by hardware queues: UNMAP is EBUSY. */
  locks = 0;
  /** Domains that were filled page by page, because large pages were off then. */
  smallIn: Set<object> | undefined = undefined;
  /** Being unmapped. */
  preventAccess = false;

  left: Area | undefined = undefined;
  right: Area | undefined = undefined;
  readonly priority: number;
  subtreeFirst: bigint;
  subtreeLast: bigint;
  /** Longest run of free addresses between two neighbours of the subtree. */
  longestGap = 0n;

  constructor(start: bigint, last: bigint, pages: Pages, startByte: number, prot: number) {
    this.start = start;
    this.last = last;
    this.pages = pages;
    this.startByte = startByte;
    this.prot = prot;
    this.priority = priorityOf(start);
    this.subtreeFirst = start;
    this.subtreeLast = last;
  }

  get length(): bigint {
    return this.last - this.start + 1n;
  }

  /** Whether an access may read, or write, by the area's protection. */
  allows(write: boolean): boolean {
    return (this.prot & (write ? 2 : 1)) !== 0;
  }

  /** Pages of `pages` that the area covers, both inclusive. */
  get firstPage(): number {
    return Math.floor(this.startByte / 4096);
  }

  get lastPage(): number {
    return Math.floor((this.startByte + Number(this.last - this.start)) / 4096);
  }

  /** Byte of `pages` behind an address of the area. */
  byteAt(iova: bigint): number {
    return this.startByte + Number(iova - this.start);
  }
}

/** A fixed mixing of the address, so that the tree is balanced whatever the order of insertion, and the same each time. */
function priorityOf(start: bigint): number {
  let mixed = Math.imul(Number(start & 0xffff_ffffn) ^ Number((start >> 32n) & 0xffff_ffffn), 0x9e37_79b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85eb_ca77);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae3d);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function update(node: Area): void {
  let gap = 0n;
  const { left, right } = node;
  node.subtreeFirst = left === undefined ? node.start : left.subtreeFirst;
  node.subtreeLast = right === undefined ? node.last : right.subtreeLast;
  if (left !== undefined) {
    gap = node.start - left.subtreeLast - 1n;
    if (left.longestGap > gap) gap = left.longestGap;
  }
  if (right !== undefined) {
    const between = right.subtreeFirst - node.last - 1n;
    if (between > gap) gap = between;
    if (right.longestGap > gap) gap = right.longestGap;
  }
  node.longestGap = gap;
}

function insertInto(node: Area | undefined, area: Area): Area {
  if (node === undefined) return area;
  if (area.priority > node.priority) {
    split(node, area);
    update(area);
    return area;
  }
  if (area.start < node.start) node.left = insertInto(node.left, area);
  else node.right = insertInto(node.right, area);
  update(node);
  return node;
}

/** Hangs the parts of `node` below and above `area.start` under `area`. */
function split(node: Area | undefined, area: Area): void {
  if (node === undefined) {
    area.left = undefined;
    area.right = undefined;
  } else if (node.start < area.start) {
    split(node.right, area);
    node.right = area.left;
    area.left = node;
    update(node);
  } else {
    split(node.left, area);
    node.left = area.right;
    area.right = node;
    update(node);
  }
}

function merge(left: Area | undefined, right: Area | undefined): Area | undefined {
  if (left === undefined) return right;
  if (right === undefined) return left;
  if (left.priority > right.priority) {
    left.right = merge(left.right, right);
    update(left);
    return left;
  }
  right.left = merge(left, right.left);
  update(right);
  return right;
}

function removeFrom(node: Area, area: Area): Area | undefined {
  if (node === area) return merge(node.left, node.right);
  if (area.start < node.start) {
    if (node.left !== undefined) node.left = removeFrom(node.left, area);
  } else if (node.right !== undefined) {
    node.right = removeFrom(node.right, area);
  }
  update(node);
  return node;
}

/** Areas of an IOAS by address: a treap, every operation logarithmic. */
export class AreaTree {
  #root: Area | undefined = undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  insert(area: Area): void {
    this.#root = insertInto(this.#root, area);
    this.#size++;
  }

  remove(area: Area): void {
    if (this.#root === undefined) return;
    this.#root = removeFrom(this.#root, area);
    area.left = undefined;
    area.right = undefined;
    this.#size--;
  }

  /** The first area that intersects [start, last]. */
  first(start: bigint, last: bigint): Area | undefined {
    let node = this.#root;
    let found: Area | undefined;
    while (node !== undefined) {
      if (node.last >= start) {
        found = node;
        node = node.left;
      } else {
        node = node.right;
      }
    }
    return found !== undefined && found.start <= last ? found : undefined;
  }

  /** Ascending. */
  *values(): Generator<Area> {
    const stack: Area[] = [];
    let node = this.#root;
    while (node !== undefined || stack.length > 0) {
      while (node !== undefined) {
        stack.push(node);
        node = node.left;
      }
      const top = stack.pop();
      if (top === undefined) return;
      node = top.right;
      yield top;
    }
  }

  /** The first run of free addresses that ends at or after `from` and has at least `length` addresses from there on. */
  gap(from: bigint, length: bigint): { readonly start: bigint; readonly last: bigint } | undefined {
    const found = gapIn(this.#root, -1n, from, length);
    if (found !== undefined) return found;
    const after = this.#root === undefined ? 0n : this.#root.subtreeLast + 1n;
    const start = after > from ? after : from;
    return U64_MAX - start + 1n >= length ? { start, last: U64_MAX } : undefined;
  }
}

function gapIn(
  node: Area | undefined,
  previous: bigint,
  from: bigint,
  length: bigint,
): { readonly start: bigint; readonly last: bigint } | undefined {
  if (node === undefined || node.subtreeLast < from) return undefined;
  if (node.longestGap < length && node.subtreeFirst - previous - 1n < length) return undefined;
  const found = gapIn(node.left, previous, from, length);
  if (found !== undefined) return found;
  const before = (node.left === undefined ? previous : node.left.subtreeLast) + 1n;
  const start = before > from ? before : from;
  if (node.start - start >= length) return { start, last: node.start - 1n };
  return gapIn(node.right, node.last, from, length);
}
