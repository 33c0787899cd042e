/** Dirty state of a domain's entries. */
export interface DirtyBits {
  readonly entries: Set<bigint>;
}
