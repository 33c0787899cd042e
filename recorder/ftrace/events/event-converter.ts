import type { StreamName } from '../../../traces/schema.ts';
import { CopiedRow } from '../copied-row.ts';
import type { AnyRowPlan, RowPlan } from '../copied-row.ts';
import type { FieldReader, RecordConverter } from '../event-record.ts';

/** Turns records of one event into rows. */
export interface EventConverter {
  readonly system: string;
  readonly name: string;
  /** Asks for the event's fields and returns what converts its records. What is missing is found in `fields.ok`. */
  compile(fields: FieldReader): RecordConverter | CopiedRow;
}

export function eventConverter(system: string, name: string, compile: EventConverter['compile']): EventConverter {
  return { system, name, compile };
}

/** An event whose fields are copied into columns. */
export function copiedEvent<S extends StreamName>(
  system: string,
  name: string,
  stream: S,
  plan: RowPlan<S>,
): EventConverter {
  return eventConverter(system, name, (fields) => new CopiedRow(fields, stream, plan as AnyRowPlan));
}
