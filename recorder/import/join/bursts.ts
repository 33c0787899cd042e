import { STREAM_ID } from '../../../traces/schema.ts';
import type { Trace } from '../../../traces/trace.ts';
import type { DomainId, Nanoseconds } from '../../../traces/units.ts';
import { EventCursor } from './event-cursor.ts';
import { EVIDENCE } from './owner-rows.ts';
import type { OwnerRows } from './owner-rows.ts';

/** Maps and unmaps of one driver's work on one task and CPU follow each other this closely. */
const TOGETHER: Nanoseconds = 1_000_000;
/** So with the same neighbour on both sides. */
const BETWEEN: Nanoseconds = 10_000_000;
/** With a neighbour on one side only, or two that differ: nearer than the other by these factors, the less the closer it is. */
const CLOSE: Nanoseconds = 25_000;
const NEARER = 4;
const MUCH_NEARER = 16;

interface Neighbourhood {
  domain: DomainId;
  time: Nanoseconds;
  /** Rows without an owner since then: maps as row, unmaps as -1 - row. */
  waiting: number[];
  waitingFrom: Nanoseconds;
  waitingTo: Nanoseconds;
}

/**
 * Labels what nothing else could by its neighbours: a driver that fills its ring or frees it maps or unmaps many buffers in a
 * row on one task and CPU, of which the device may never use some. True if any was labelled.
 */
export function labelBursts(guest: Trace, maps: OwnerRows, unmaps: OwnerRows): boolean {
  if (!anyUnknown(maps) && !anyUnknown(unmaps)) return false;
  let labelled = false;
  const actors = new Map<number, Neighbourhood>();
  const cursor = new EventCursor(guest, { columns: {} });
  while (cursor.next()) {
    const isMap = cursor.stream === STREAM_ID.map;
    if (!isMap && cursor.stream !== STREAM_ID.unmap) continue;
    const rows = isMap ? maps : unmaps;
    const row = cursor.streamRow;
    // A task that works with domains of its own maps into several of them in turn: neighbours say nothing.
    if (rows.foreign[row] === 1 || rows.task[row] !== -1) continue;
    const key = (cursor.cpu + 1) * 0x1000000 + cursor.task;
    let actor = actors.get(key);
    if (actor === undefined) {
      actor = { domain: -1, time: 0, waiting: [], waitingFrom: 0, waitingTo: 0 };
      actors.set(key, actor);
    }
    const { time } = cursor;
    const domain = rows.domain[row]!;
    if (actor.waiting.length > 0 && time - actor.waitingTo > BETWEEN) {
      if (settle(actor, -1, time, maps, unmaps)) labelled = true;
      actor.domain = -1;
    }
    if (domain < 0) {
      if (actor.waiting.length === 0) actor.waitingFrom = time;
      actor.waitingTo = time;
      actor.waiting.push(isMap ? row : -1 - row);
      continue;
    }
    if (actor.waiting.length > 0 && settle(actor, domain, time, maps, unmaps)) labelled = true;
    actor.domain = domain;
    actor.time = time;
  }
  for (const actor of actors.values()) {
    if (settle(actor, -1, Number.POSITIVE_INFINITY, maps, unmaps)) labelled = true;
  }
  return labelled;
}

function anyUnknown(rows: OwnerRows): boolean {
  for (let row = 0; row < rows.length; row++) {
    if (rows.domain[row]! < 0 && rows.foreign[row] === 0 && rows.task[row] === -1) return true;
  }
  return false;
}

function isNearer(distance: Nanoseconds, other: Nanoseconds): boolean {
  return distance <= TOGETHER && distance * (distance <= CLOSE ? NEARER : MUCH_NEARER) <= other;
}

/** `next` is the domain of the first labelled row after those that wait, at `time`; -1 if none is near. */
function settle(actor: Neighbourhood, next: DomainId, time: Nanoseconds, maps: OwnerRows, unmaps: OwnerRows): boolean {
  const before = actor.domain >= 0 ? actor.waitingFrom - actor.time : Number.POSITIVE_INFINITY;
  const after = next >= 0 ? time - actor.waitingTo : Number.POSITIVE_INFINITY;
  let domain = -1;
  if (actor.domain === next && before <= BETWEEN && after <= BETWEEN) domain = next;
  else if (isNearer(before, after)) domain = actor.domain;
  else if (isNearer(after, before)) domain = next;
  if (domain >= 0) {
    for (const entry of actor.waiting) {
      if (entry >= 0) maps.label(entry, domain, -1, EVIDENCE.burst);
      else unmaps.label(-1 - entry, domain, -1, EVIDENCE.burst);
    }
  }
  const found = domain >= 0 && actor.waiting.length > 0;
  actor.waiting = [];
  return found;
}
