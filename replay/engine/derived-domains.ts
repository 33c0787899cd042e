import { DIALECT } from '../../traces/schema.ts';
import type { DomainId } from '../../traces/units.ts';
import type { Nesting } from '../model/iommufd/intents.ts';

/** VMIDs whose domain numbers are no negative int32. */
const VMIDS = 0x7fff;
const ASIDS = 0xffff;
/** Tables of one guest that are told apart. */
const TABLES = 0x7fff;

/**
 * Numbers of the domains that calls make: 1, 2, ... in order, which calls don't name. On SMMUv3 a nesting parent's is its VMID, in
 * the upper half. A guest's table has the ASIDs that the guest keeps in memory: in the place of one of them stands which table
 * of the guest it is, from 0xffff down.
 */
export class DerivedDomains {
  /** All numbers given out. */
  readonly numbers: DomainId[] = [];
  readonly #dialect: number;
  readonly #known = new WeakMap<object, DomainId>();
  readonly #tables = new WeakMap<object, number>();
  #count = 0;

  constructor(dialect: number) {
    this.#dialect = dialect;
  }

  of(domain: object): DomainId {
    const known = this.#known.get(domain);
    return known ?? this.#add(domain, this.#next(domain));
  }

  /** A guest's table. */
  nested(domain: object, { parent, translates }: Nesting): DomainId {
    if (this.#dialect !== DIALECT.smmuv3) return this.of(domain);
    const known = this.#known.get(domain);
    if (known !== undefined) return known;
    const guest = this.of(parent);
    if (!translates) {
      this.#known.set(domain, guest);
      return guest;
    }
    const table = this.#tables.get(parent) ?? 0;
    this.#tables.set(parent, table + 1);
    return this.#add(domain, guest | (ASIDS - (table % TABLES)));
  }

  vmidOf(parent: object): number {
    const number = this.of(parent);
    return this.#dialect === DIALECT.smmuv3 ? number >>> 16 : number & 0xffff;
  }

  #next(domain: object): DomainId {
    const number = ++this.#count;
    if (this.#dialect !== DIALECT.smmuv3) return number;
    const isGuest = 'stage' in domain && domain.stage === 2;
    return isGuest ? (1 + ((number - 1) % VMIDS)) << 16 : 1 + ((number - 1) % ASIDS);
  }

  #add(domain: object, number: DomainId): DomainId {
    this.#known.set(domain, number);
    this.numbers.push(number);
    return number;
  }
}
