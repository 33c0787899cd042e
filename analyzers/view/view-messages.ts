/** What the server of a view answers with, in MessagePack. Arrays of numbers are byte strings, little-endian. */

/** A window: `window?from=NS&to=NS&bins=N`. */
export interface WindowMessage {
  readonly from: number;
  readonly to: number;
  readonly bins: number;
  /** Streams that have an event in it, with their events by part (uint32). */
  readonly streams: readonly { readonly name: string; readonly counts: Uint8Array }[];
  readonly heat: {
    readonly from: number;
    readonly to: number;
    readonly bins: number;
    readonly blockBytes: number;
    /** First address of each block, as hex texts. */
    readonly blocks: readonly string[];
    /** By block, then by part (uint32). */
    readonly cells: Uint8Array;
  };
  readonly decoded: number;
  readonly firstEvent: number;
  readonly endEvent: number;
}

/** One event for a table: number, time, processor, task, stream, what it was. */
export type EventRow = readonly [event: number, t: number, cpu: number, task: number, stream: string, what: string];

/** Events by number: `rows?from=N&count=N`. */
export interface RowsMessage {
  readonly rows: readonly EventRow[];
}

/** One event: `event?n=N`. */
export interface EventMessage {
  readonly event: number;
  readonly t: number;
  /** Times between which its neighbours lie. */
  readonly from: number;
  readonly to: number;
}
