import type { FieldReader, RecordConverter } from '../event-record.ts';

/** Turns records of one event into rows. */
export interface EventConverter {
  readonly system: string;
  readonly name: string;
  /** Asks for the event's fields and returns what converts its records. What is missing is found in `fields.ok`. */
  compile(fields: FieldReader): RecordConverter;
}

export function eventConverter(system: string, name: string, compile: EventConverter['compile']): EventConverter {
  return { system, name, compile };
}
