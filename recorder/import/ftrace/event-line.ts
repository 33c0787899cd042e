import { ByteCursor } from '../byte-cursor.ts';
import type { EventOutput } from '../../ftrace/event-output.ts';

/**
 * One line of an ftrace text, as the parsers of single events see it: a cursor on the event's own text, and the way out, whose
 * common columns are set. One object is reused for all lines.
 */
export class EventLine {
  readonly cursor = new ByteCursor();
  readonly out: EventOutput;

  constructor(out: EventOutput) {
    this.out = out;
  }

  /** String-table index of the cursor's newest token; absent if it is empty. */
  tokenRef(): number {
    const { bytes, tokenStart, tokenEnd } = this.cursor;
    return this.out.ref(bytes, tokenStart, tokenEnd);
  }

  /** Requester id of the cursor's newest token, as `EventOutput.device` gives it. */
  tokenDevice(mayBeUnit = false): number {
    const { bytes, tokenStart, tokenEnd } = this.cursor;
    return this.out.device(bytes, tokenStart, tokenEnd, mayBeUnit);
  }
}

/** A trace event: its names in the text and what reads its arguments. */
export interface EventParser {
  /** As tracefs prints it (`map`) and as perf does (`iommu:map`). */
  readonly names: readonly string[];
  /** Writes the line's event. False if the text is not of the event's shape; then nothing was written. */
  parse(line: EventLine): boolean;
}

/** `system:name` events by their names. */
export function eventParser(system: string, names: readonly string[], parse: EventParser['parse']): EventParser {
  return { names: names.flatMap((name) => [name, `${system}:${name}`]), parse };
}
