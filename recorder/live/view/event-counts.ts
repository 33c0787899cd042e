import { DIALECT, INV_FORM, STREAM_NAMES } from '../../../traces/schema.ts';
import type { Columns } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import { ABSENT, formatRequester } from '../../../traces/units.ts';

/** What is counted of one device, domain or unit, by position in `OwnerCounts.counts`. */
export const OWNER_COLUMNS = ['maps', 'unmaps', 'commands', 'faults'] as const;

export interface OwnerCounts {
  /** `0000:00:04.0`, `domain 4`, `dmar0`; `owner unknown` where the source did not say. */
  readonly name: string;
  readonly counts: readonly number[];
}

/** Owners that are told apart; what comes after them is counted together. */
const MAX_OWNERS = 4096;
/** A key is what the number is of, and the number. */
const KIND = 4294967296;
const UNKNOWN = 0;
const DEVICE = 1;
const DOMAIN = 2;
const UNIT = 3;
const OTHERS = 4;

/** Descriptor types of VT-d (spec 6.5.2): w0 bits 3:0 and 11:9. */
const VTD_DEVICE_TLB = 3;
const VTD_PASID_DEVICE_TLB = 8;
const VTD_OF_DOMAIN: ReadonlySet<number> = new Set([1, 2, 6, 7]);

/**
 * Counts the events of a recording by stream and by whose they are, from the columns of whole segments just before they are
 * written: taking an event costs nothing more.
 */
export class EventCounts {
  /** Rows by stream number. */
  readonly streams = new Float64Array(STREAM_NAMES.length);
  readonly #owners = new Map<number, Float64Array>();
  readonly #textOf: (ref: number) => string | undefined;
  readonly #unitNames = new Map<number, string>();
  #newestKey = Number.NaN;
  #newest = new Float64Array(OWNER_COLUMNS.length);

  /** `textOf` gives a text of the string table that the segments refer to. */
  constructor(textOf: (ref: number) => string | undefined) {
    this.#textOf = textOf;
  }

  /** Rows of all streams. */
  get events(): number {
    return this.streams.reduce((sum, rows) => sum + rows, 0);
  }

  add({ rows }: Segment): void {
    STREAM_NAMES.forEach((name, id) => {
      this.streams[id] = (this.streams[id] ?? 0) + rows[name].count;
    });
    this.#addOwned(rows.map.columns, rows.map.count, 0);
    this.#addOwned(rows.unmap.columns, rows.unmap.count, 1);
    this.#addCommands(rows.inv.columns, rows.inv.count);
    this.#addRequesters(rows.fault.columns.rid, rows.fault.count);
    this.#addRequesters(rows.prq.columns.rid, rows.prq.count);
  }

  /** All owners, in no order. */
  owners(): readonly OwnerCounts[] {
    return [...this.#owners].map(([key, counts]) => ({ name: this.#name(key), counts: [...counts] }));
  }

  #addOwned({ device, domain }: Columns<'map'> | Columns<'unmap'>, count: number, at: number): void {
    for (let row = 0; row < count; row++) this.#count(ownerKey(device[row]!, domain[row]!), at);
  }

  #addCommands({ dialect, form, unit, w0Lo, w0Hi }: Columns<'inv'>, count: number): void {
    for (let row = 0; row < count; row++) {
      const coded = dialect[row] === DIALECT.vtd && form[row] === INV_FORM.words;
      const key = coded ? vtdKey(w0Lo[row]!, w0Hi[row]!) : UNKNOWN;
      const ref = unit[row]!;
      this.#count(key !== UNKNOWN || ref === ABSENT ? key : UNIT * KIND + ref, 2);
    }
  }

  #addRequesters(rid: Int32Array, count: number): void {
    for (let row = 0; row < count; row++) this.#count(ownerKey(rid[row]!, ABSENT), 3);
  }

  #count(key: number, at: number): void {
    // Events come in runs of one owner.
    if (key !== this.#newestKey) this.#newest = this.#find(key);
    this.#newestKey = key;
    this.#newest[at] = this.#newest[at]! + 1;
  }

  #find(key: number): Float64Array<ArrayBuffer> {
    const known = this.#owners.get(key);
    if (known !== undefined) return known as Float64Array<ArrayBuffer>;
    const others = OTHERS * KIND;
    if (this.#owners.size >= MAX_OWNERS && key !== others) return this.#find(others);
    const made = new Float64Array(OWNER_COLUMNS.length);
    this.#owners.set(key, made);
    return made;
  }

  #name(key: number): string {
    const number = key % KIND;
    switch (Math.floor(key / KIND)) {
      case DEVICE:
        return formatRequester(number | 0);
      case DOMAIN:
        return `domain ${number}`;
      case UNIT:
        return this.#unitName(number);
      case OTHERS:
        return 'others';
      default:
        return 'owner unknown';
    }
  }

  #unitName(ref: number): string {
    let name = this.#unitNames.get(ref);
    if (name === undefined) {
      name = this.#textOf(ref) ?? '?';
      this.#unitNames.set(ref, name);
    }
    return name;
  }
}

function ownerKey(device: number, domain: number): number {
  if (device !== ABSENT) return DEVICE * KIND + (device >>> 0);
  return domain === ABSENT ? UNKNOWN : DOMAIN * KIND + (domain >>> 0);
}

/** Whom a VT-d descriptor names: a source id (bits 47:32, with a PASID 31:16) or a domain id (bits 31:16). */
function vtdKey(lo: number, hi: number): number {
  const type = (lo & 0xf) | ((lo >>> 5) & 0x70);
  if (type === VTD_DEVICE_TLB) return DEVICE * KIND + (hi & 0xffff);
  if (type === VTD_PASID_DEVICE_TLB) return DEVICE * KIND + (lo >>> 16);
  return VTD_OF_DOMAIN.has(type) ? DOMAIN * KIND + (lo >>> 16) : UNKNOWN;
}
