import { IorrError } from '../../../traces/errors.ts';
import { ABSENT } from '../../../traces/units.ts';
import type { Keyed } from './keyed.ts';

/** Pages of 4 KiB in the unit of moves. */
const GIB_PAGES = 2 ** 18;
const GIB = 2 ** 30;
/** GiB that one entry of a page table's fourth level covers. */
const FOURTH = 512;
/** Addresses of 39, 48 and 57 bits have a level more each: what is moved stays below the same limits, in GiB. */
const LIMITS = [2 ** 9, 2 ** 18, 2 ** 27];
const TRIES = 1 << 16;

/** Blocks with addresses that are no memory's. */
const RESERVED: readonly number[] = [3, ...Array.from({ length: 12 }, (_, i) => 1012 + i)];

/** What is moved together, as blocks of 1 GiB. */
class Space {
  readonly blocks = new Set<number>();
  /** Pages that a command names at most: a move is a multiple of that. */
  alignment = GIB_PAGES;
}

function level(block: number, limits: readonly number[]): number {
  let at = 0;
  while (at < limits.length && block >= limits[at]!) at++;
  return at;
}

/**
 * The address spaces of a trace, and by how much each is moved: a keyed multiple of 1 GiB, such that no moved address lies in a GiB
 * in which the trace has an address, limits of page-table levels hold as before, and addresses below one entry of the fourth level
 * stay so. Domains and requesters that any event names together are one space; if an event with an address names neither, all are.
 */
export class AddressSpaces {
  readonly #parent = new Map<string, string>();
  readonly #spaces = new Map<string, Space>();
  readonly #physical = new Space();
  readonly #memory = new Space();
  readonly #bytes = new Map<string, number>();
  #unnamed = false;
  #reserved = false;
  #lastDomain = Number.NaN;
  #lastDevice = Number.NaN;
  #lastSpace: Space | undefined;
  #physicalBytes = 0;
  #memoryBytes = 0;

  /** An address of what the event names, and of the last page of its range. */
  address(domain: number, device: number, page: number, last = page): void {
    const space = this.#of(domain, device);
    space.blocks.add(Math.floor(page / GIB_PAGES));
    if (last !== page) space.blocks.add(Math.floor(last / GIB_PAGES));
  }

  /**
   * An address of a system call, which names neither domain nor requester: all is one space then. It is not moved to where hardware
   * reserves addresses: interrupts at 4 GiB - 18 MiB, HyperTransport below 1 TiB.
   */
  call(page: number): void {
    this.address(ABSENT, ABSENT, page);
    this.#reserved = true;
  }

  /** Names that go together, without an address. */
  together(domain: number, device: number): void {
    if (domain !== ABSENT && device !== ABSENT) this.#of(domain, device);
  }

  /** All domains of a guest (VMID, GSCID) are one space. */
  guest(guest: number): void {
    this.#unite(`g${guest}`, `g${guest}`);
  }

  guestDomain(domain: number): void {
    if (domain >>> 16 !== 0) this.#unite(`d${domain}`, `g${domain >>> 16}`);
  }

  align(domain: number, device: number, pages: number): void {
    const space = this.#of(domain, device);
    if (pages > space.alignment) space.alignment = 2 ** Math.ceil(Math.log2(pages));
  }

  physical(page: number, last = page): void {
    this.#physical.blocks.add(Math.floor(page / GIB_PAGES));
    if (last !== page) this.#physical.blocks.add(Math.floor(last / GIB_PAGES));
  }

  /** An offset into a virtual machine's memory. */
  memory(page: number): void {
    this.#memory.blocks.add(Math.floor(page / GIB_PAGES));
  }

  /** Decides on all moves. Throws LIMIT where addresses leave no room. */
  decide(keyed: Keyed): void {
    if (this.#unnamed) for (const name of this.#parent.keys()) this.#unite(name, 'none');
    this.#lastDomain = Number.NaN;
    const spaces = new Map<string, Space>();
    for (const [name, { blocks, alignment }] of this.#spaces) {
      const root = this.#root(name);
      let space = spaces.get(root);
      if (space === undefined) spaces.set(root, (space = new Space()));
      for (const block of blocks) space.blocks.add(block);
      space.alignment = Math.max(space.alignment, alignment);
    }
    const used = new Set([...this.#physical.blocks, ...this.#memory.blocks]);
    for (const { blocks } of spaces.values()) for (const block of blocks) used.add(block);
    if (this.#reserved) for (const block of RESERVED) used.add(block);
    this.#physicalBytes = move(keyed, 'memory', this.#physical, used) * GIB;
    this.#memoryBytes = move(keyed, 'virtual machine', this.#memory, used) * GIB;
    // by their first names in order, so that the key alone decides
    for (const [root, space] of spaces) this.#bytes.set(root, move(keyed, root, space, used) * GIB);
  }

  /** Bytes that addresses of an event with these names move by; below 2^57. */
  bytesOf(domain: number, device: number): number {
    const name = nameOf(domain, device);
    return this.#bytes.get(this.#root(this.#unnamed ? 'none' : name)) ?? 0;
  }

  bytesOfGuest(guest: number): number {
    return this.#bytes.get(this.#root(this.#unnamed ? 'none' : `g${guest}`)) ?? 0;
  }

  get physicalBytes(): number {
    return this.#physicalBytes;
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** How many spaces moved by themselves. */
  get count(): number {
    return this.#bytes.size;
  }

  /** Domains and requesters of the trace are one space, since some events name neither. */
  get unnamed(): boolean {
    return this.#unnamed;
  }

  #of(domain: number, device: number): Space {
    if (domain === this.#lastDomain && device === this.#lastDevice) return this.#lastSpace!;
    const name = nameOf(domain, device);
    if (name === 'none') this.#unnamed = true;
    this.#unite(name, name);
    if (domain !== ABSENT && device !== ABSENT) this.#unite(`r${device}`, name);
    let space = this.#spaces.get(name);
    if (space === undefined) this.#spaces.set(name, (space = new Space()));
    this.#lastDomain = domain;
    this.#lastDevice = device;
    this.#lastSpace = space;
    return space;
  }

  #root(name: string): string {
    let at = name;
    for (;;) {
      const parent = this.#parent.get(at);
      if (parent === undefined || parent === at) return at;
      at = parent;
    }
  }

  #unite(a: string, b: string): void {
    for (const name of [a, b]) if (!this.#parent.has(name)) this.#parent.set(name, name);
    const [first, second] = [this.#root(a), this.#root(b)];
    // the smaller name leads: which that is does not depend on the order of events
    if (first === second) return;
    if (first < second) this.#parent.set(second, first);
    else this.#parent.set(first, second);
  }
}

function nameOf(domain: number, device: number): string {
  if (domain !== ABSENT) return `d${domain}`;
  return device === ABSENT ? 'none' : `r${device}`;
}

/** GiB to move by. */
function move(keyed: Keyed, name: string, space: Space, used: ReadonlySet<number>): number {
  const blocks = [...space.blocks];
  if (blocks.length === 0) return 0;
  const least = Math.min(...blocks);
  const most = Math.max(...blocks);
  const within = Math.floor(least / FOURTH) === Math.floor(most / FOURTH);
  const step = Math.max(space.alignment / GIB_PAGES, within ? 1 : FOURTH);
  // where addresses of many lengths have no room, those of the shortest may grow to four levels
  for (const limits of [LIMITS, LIMITS.slice(1), LIMITS.slice(2)]) {
    const room = Math.floor(((limits[level(least, limits)] ?? 2 ** 34) - least - 1) / step);
    if (room < 1) continue;
    for (let n = 0; n < TRIES; n++) {
      const by = (1 + (keyed.number(name, n) % room)) * step;
      if (within && Math.floor((least + by) / FOURTH) !== Math.floor((most + by) / FOURTH)) continue;
      if (blocks.every((block) => level(block + by, limits) === level(block, limits) && !used.has(block + by)))
        return by;
    }
  }
  throw new IorrError('LIMIT', `addresses from ${hex(least)} to ${hex(most)} leave no room to be moved in`, {
    hint: 'filter the trace to the domains or devices that matter',
  });
}

function hex(block: number): string {
  return `0x${(BigInt(block) << 30n).toString(16)}`;
}
