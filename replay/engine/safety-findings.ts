import type { Nanoseconds } from '../../traces/units.ts';

/**
 * `stale`: an access was served from a page that was unmapped. `missing`: pages were mapped again, or the trace ended, before any
 * command named them. `late`: their command came after another flush of their submitter, which had
 * unmapped them first: an interrupt came in between, or the command was too late. `redundant`: a command that
 * named nothing that waited and dropped nothing.
 */
export type FindingKind = 'stale' | 'missing' | 'late' | 'redundant';

export interface SafetyFinding {
  /** Index of the event that shows it: the access, the new map, the late or redundant command. */
  readonly event: number;
  readonly kind: FindingKind;
  /** Index of the unmap that it is about; -1: none. */
  readonly unmap: number;
  /** From the unmap to the event. */
  readonly ageNs: Nanoseconds;
  readonly what: string;
}

/** Listed of each kind. */
const LISTED = 100;
const KINDS: readonly FindingKind[] = ['stale', 'missing', 'late', 'redundant'];

/** All findings counted, the first of each kind kept. */
export class FindingList {
  readonly #listed: SafetyFinding[] = [];
  readonly #counts = new Map<FindingKind, number>(KINDS.map((kind) => [kind, 0]));

  add(kind: FindingKind, event: number, unmap: number, ageNs: Nanoseconds, what: string): void {
    if ((this.#counts.get(kind) ?? 0) < LISTED) this.#listed.push({ event, kind, unmap, ageNs, what });
    this.count(kind, 1);
  }

  /** Some that are not listed. */
  count(kind: FindingKind, more: number): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + more);
  }

  result(): { readonly findings: readonly SafetyFinding[]; readonly byKind: { readonly [kind: string]: number } } {
    return {
      findings: this.#listed.toSorted((a, b) => a.event - b.event || a.unmap - b.unmap),
      byKind: Object.fromEntries(this.#counts),
    };
  }
}
