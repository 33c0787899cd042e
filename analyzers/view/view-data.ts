import type { OpenTrace } from '../../traces/file.ts';
import { STREAM_NAMES } from '../../traces/schema.ts';
import { EventRows, MOST_ROWS } from './event-rows.ts';
import { MOST_BINS } from './trace-window.ts';
import type { TraceOverview, TraceWindow } from './trace-window.ts';
import type { EventMessage, RowsMessage, WindowMessage } from './view-messages.ts';
import type { ViewContent } from './view-server.ts';

function bytesOf(array: Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A number of a query; the other one where it is missing or no number. */
function numberOf(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name) ?? '';
  const value = Number(text);
  return text === '' || !Number.isFinite(value) ? otherwise : value;
}

function windowMessage({ events, heat, decoded, firstEvent, endEvent }: TraceWindow): WindowMessage {
  const { from, to, bins, counts } = events;
  return {
    from,
    to,
    bins,
    streams: STREAM_NAMES.flatMap((name, id) => {
      const own = counts[id];
      return own === undefined || own.every((count) => count === 0) ? [] : [{ name, counts: bytesOf(own) }];
    }),
    heat: {
      from: heat.from,
      to: heat.to,
      bins: heat.bins,
      blockBytes: heat.blockBytes,
      blocks: heat.blocks.map((page) => `0x${(BigInt(page) << 12n).toString(16)}`),
      cells: bytesOf(heat.cells),
    },
    decoded,
    firstEvent,
    endEvent,
  };
}

/** What the page of a view may ask for; every answer is bounded, whatever is asked. */
export function viewData(trace: OpenTrace, overview: TraceOverview): ViewContent['data'] {
  const rows = new EventRows(trace);
  const whole = (query: URLSearchParams, name: string): number => Math.max(0, Math.floor(numberOf(query, name, 0)));
  return {
    window: (query): WindowMessage =>
      windowMessage(
        overview.window(
          numberOf(query, 'from', overview.from),
          numberOf(query, 'to', overview.to),
          numberOf(query, 'bins', MOST_BINS),
        ),
      ),
    rows: (query): RowsMessage => ({
      rows: rows.rows(whole(query, 'from'), Math.min(MOST_ROWS, whole(query, 'count'))),
    }),
    event: (query): EventMessage | undefined => {
      const event = whole(query, 'n');
      const place = rows.place(event);
      return place === undefined ? undefined : { event, ...place };
    },
  };
}
