import type { PlainEvent } from '../../../traces/event.ts';
import type { StreamName } from '../../../traces/schema.ts';
import { readImport } from './read-import.ts';
import type { ReadImport } from './read-import.ts';
import { qemuLog } from '../qemu-log.ts';

/** What lines of a log become, for tests. */
export interface ReadLog extends ReadImport {
  /** The fields of the events of one stream. */
  readonly of: (stream: StreamName) => readonly PlainEvent['fields'][];
}

export function readLog(lines: readonly string[]): ReadLog {
  const read = readImport(qemuLog, lines);
  return {
    ...read,
    of: (stream) => read.events.filter((event) => event.stream === stream).map(({ fields }) => fields),
  };
}
