import type { DomainId, Nanoseconds, PageNumber } from '../../traces/units.ts';
import type { CacheTag, MapIntent, UnmapIntent } from '../designs/design.ts';
import type { CommandWords } from './command-matcher.ts';

/** Where an event of the trace stands, and whose it is: `key` is its submitter (`submitter` of `designs/gather.ts`). */
interface Recorded {
  readonly key: number;
  readonly event: number;
}

export interface RecordedMap extends MapIntent, Recorded {}

/** `freedTable` is -1 where the domain, and so its table, is not known yet. */
export interface RecordedUnmap extends UnmapIntent, Recorded {}

export interface FlushIntent extends Recorded {
  readonly op: number;
  readonly domain: DomainId;
  readonly first: PageNumber;
  readonly last: PageNumber;
  readonly cpu: number;
  readonly task: number;
  readonly time: Nanoseconds;
}

/** A recorded command; `submitted` is when the driver put it into the queue, as far as known. */
export interface RecordedCommand extends Recorded {
  readonly cpu: number;
  readonly task: number;
  readonly submitted: Nanoseconds;
  readonly words: CommandWords;
}

/** What checks a design's commands against those of the trace; one for each way to flush. */
export interface FlushVerifier {
  unmap(intent: RecordedUnmap): void;
  map(intent: RecordedMap): void;
  assignTag(tag: CacheTag): void;
  unassignTag(tag: CacheTag): void;
  /** The driver began to flush (a flush event of the first tag of a domain). */
  flush(intent: FlushIntent): void;
  /** Domain of a flush of this submitter that nothing before it explains, or `ABSENT`: the map behind it is likely its own. */
  unexplained(key: number): DomainId;
  /** A predicted command of this submitter has not been recorded yet. */
  expects(key: number): boolean;
  /** A recorded flush command. */
  command(command: RecordedCommand): void;
  finish(): void;
}
