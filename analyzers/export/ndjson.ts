import { eventJson } from '../event-text.ts';
import type { Exporter } from './exporter.ts';

/** One event a line, all streams in trace order; the lines of `iorr cat --format ndjson`. */
export const ndjsonExporter: Exporter = {
  name: 'ndjson',
  does: 'one event a line, all streams in trace order: the lines of iorr cat --json',
  extension: 'ndjson',
  perStream: false,
  open: async (_, sink) => ({
    notes: [],
    event(event) {
      sink.write(`${eventJson(event)}\n`);
    },
    finish() {},
  }),
};
