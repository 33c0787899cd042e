import type { CacheTag } from './design.ts';
import type { DomainId } from '../../traces/units.ts';

/** A tag with its reference count. */
export interface HeldTag extends CacheTag {
  users: number;
}

const NONE: readonly HeldTag[] = [];

/** The cache tags of every domain, each list in order of first assignment (drivers/iommu/intel/cache.c, cache_tag_assign). */
export class CacheTags {
  readonly #lists = new Map<DomainId, HeldTag[]>();

  /** Adds a tag, or a user to the same tag. */
  assign(tag: CacheTag): void {
    const list = this.#lists.get(tag.domain);
    if (list === undefined) {
      this.#lists.set(tag.domain, [{ ...tag, users: 1 }]);
      return;
    }
    const held = find(list, tag);
    if (held === undefined) list.push({ ...tag, users: 1 });
    else held.users++;
  }

  /** Takes a user away; the tag goes with its last one. An unknown tag is ignored: the trace may have begun later. */
  unassign(tag: CacheTag): void {
    const list = this.#lists.get(tag.domain);
    if (list === undefined) return;
    const held = find(list, tag);
    if (held === undefined || --held.users > 0) return;
    list.splice(list.indexOf(held), 1);
    if (list.length === 0) this.#lists.delete(tag.domain);
  }

  has(tag: CacheTag): boolean {
    return find(this.of(tag.domain), tag) !== undefined;
  }

  of(domain: DomainId): readonly HeldTag[] {
    return this.#lists.get(domain) ?? NONE;
  }
}

function find(list: readonly HeldTag[], tag: CacheTag): HeldTag | undefined {
  return list.find(
    (held) =>
      held.type === tag.type && held.unit === tag.unit && held.device === tag.device && held.pasid === tag.pasid,
  );
}
