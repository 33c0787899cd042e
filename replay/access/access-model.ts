import type { DomainId, Nanoseconds, PageNumber, RequesterId } from '../../traces/units.ts';
import type { Random } from '../../traces/random.ts';

/** Takes the accesses of a model: one 4 KiB page each. `access` as in `ACCESS` of the trace schema. */
export type AccessSink = (
  time: Nanoseconds,
  rid: RequesterId,
  domain: DomainId,
  page: PageNumber,
  access: number,
) => void;

/**
 * Stands in for a device's accesses where the source could not see them. Told of maps and unmaps in trace order; calls its sink
 * with accesses that a device could have made then. Depends on the intents and the seed only, so every design is judged on the
 * same accesses.
 */
export interface AccessModel {
  /** Pages were mapped. `prot` as in the trace: what the device may do. */
  mapped(time: Nanoseconds, rid: RequesterId, domain: DomainId, first: PageNumber, pages: number, prot: number): void;
  /** Pages are about to be unmapped: the last moment at which a correct device uses them. */
  unmapping(time: Nanoseconds, rid: RequesterId, domain: DomainId, first: PageNumber, pages: number): void;
}

/** A member of the registry (`access-models.ts`). */
export interface AccessModelFactory {
  readonly name: string;
  readonly summary: string;
  create(sink: AccessSink, random: Random): AccessModel;
}

/** Pages of one buffer that a model touches at most, so that a mapping of terabytes does not stop it. */
export const MOST_PAGES = 4096;
