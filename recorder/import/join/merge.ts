import { STREAM_ID } from '../../../traces/schema.ts';
import type { ReadPlan, Trace } from '../../../traces/trace.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import { ROLE } from './commands.ts';
import type { CommandLog, GuestLog } from './commands.ts';
import { EventCursor } from './event-cursor.ts';
import type { CommandMatch } from './match-commands.ts';

/** How the two logs' commands belong together, by row. */
export interface CommandLinks {
  /** Guest command that each `inv` row of the host is, or (waits, doorbells) belongs to; -1 for none. */
  readonly guestOf: Int32Array;
  /** Last `inv` row of the host, its wait, of the batch that each guest command went out with; -1 if unmatched. */
  readonly batchEnd: Int32Array;
  /** As in `GuestLog`. */
  readonly commandAt: readonly (Int32Array | undefined)[];
  readonly native: boolean;
  /** `ROLE` of the host's `inv` rows. */
  readonly hostRole: Uint8Array;
}

export function linkCommands(guest: GuestLog, host: CommandLog, match: Pick<CommandMatch, 'hostOf'>): CommandLinks {
  const rows = host.role.length;
  const guestOf = new Int32Array(rows).fill(-1);
  const batchEnd = new Int32Array(guest.key.length).fill(-1);
  const guestOfCommand = new Int32Array(host.key.length).fill(-1);
  match.hostOf.forEach((command, index) => {
    if (command >= 0) guestOfCommand[command] = index;
  });
  let from = 0;
  let last = -1;
  const waits = guest.native || host.role.includes(ROLE.wait);
  // A batch: its doorbell, its commands, its wait. Of several doorbells before the first command only the last is its own.
  const close = (end: number): void => {
    let rung = false;
    for (let row = end; row >= from; row--) {
      const index = guestOf[row]!;
      const role = host.role[row];
      if (index >= 0) batchEnd[index] = end;
      else if (last >= 0 && (role === ROLE.wait || (role === ROLE.doorbell && !rung))) {
        guestOf[row] = last;
        rung ||= role === ROLE.doorbell;
      }
    }
    from = end + 1;
    last = -1;
  };
  for (let row = 0; row < rows; row++) {
    if (host.role[row] === ROLE.command) {
      const command = host.commandOf[row]!;
      const index = command < 0 ? -1 : guestOfCommand[command]!;
      guestOf[row] = index;
      if (index >= 0) last = index;
      // Without waits each command is a batch of its own, which may have several rows.
      if (!waits && (row + 1 >= rows || host.commandOf[row + 1] !== command || command < 0)) close(row);
    } else if (host.role[row] === ROLE.wait) close(row);
  }
  if (from < rows) close(rows - 1);
  return { guestOf, batchEnd, commandAt: guest.commandAt, native: guest.native, hostRole: host.role };
}

/** Who submitted a command, and when. */
export interface Submission {
  readonly command: number;
  readonly time: Nanoseconds;
  readonly cpu: number;
  readonly task: number;
  /** Text number of the unit in the guest's strings; -1 for none. */
  readonly unit: number;
}

export interface MergeVisitor {
  /** A guest event, at its own time. Commands that the host saw too are announced by `submitted` instead, if they are native. */
  guest(cursor: EventCursor): void;
  submitted(cursor: EventCursor): void;
  /** A host event at its place in guest time; `submission` for commands, waits and doorbells whose submitter is known. */
  host(cursor: EventCursor, time: Nanoseconds, submission: Submission | undefined): void;
  /** Guest event (its number in the trace) that has to come before this host event; -1 if none does. */
  waitFor(host: EventCursor, time: Nanoseconds, guest: EventCursor): number;
  /** The host event now comes after that guest event. */
  waited(host: EventCursor, guestOrdinal: number): void;
}

export interface MergeShifts {
  /**
   * Host events placed earlier or later than the clock alone says by more than 1 us, and by how much at most. Doorbells are
   * not counted: they come before the first command, and the clock is fitted so that the quickest command takes no time.
   */
  earlier: number;
  maxEarlierNs: Nanoseconds;
  later: number;
  maxLaterNs: Nanoseconds;
  /** Host events from before time 0 of the guest's clock; placed at 0. */
  beforeClock: number;
}

const NOTICEABLE: Nanoseconds = 1_000;

/**
 * Merges the events of a guest and of the host that emulated its IOMMU into one order. Each side keeps its own order, guest
 * events keep their times, and host events come at their mapped time, but
 * - a command not before its submission; where the guest logged it itself also not after the next guest event of that CPU: the
 *   submitter spins with interrupts off until the wait is done (drivers/iommu/intel/dmar.c, `qi_submit_sync`);
 * - an access not before the map that it went through (`waitFor`).
 * At equal times a host event comes after the guest's, but before an unmap: mapped times are early by the shortest delay of a
 * command, so that an access is never really after an unmap of the same microsecond.
 */
export function mergeTraces(
  guestTrace: Trace,
  hostTrace: Trace,
  links: CommandLinks,
  toGuest: (time: Nanoseconds) => Nanoseconds,
  visitor: MergeVisitor,
  plans: { readonly guest?: ReadPlan; readonly host?: ReadPlan } = {},
): MergeShifts {
  const guest = new EventCursor(guestTrace, plans.guest);
  const host = new EventCursor(hostTrace, plans.host);
  const { guestOf, batchEnd, commandAt, native, hostRole } = links;
  const shifts: MergeShifts = { earlier: 0, maxEarlierNs: 0, later: 0, maxLaterNs: 0, beforeClock: 0 };
  const submissions: Submission[] = [];
  let submissionsHead = 0;
  /** Of commands that are not native: their batches may come in another order. */
  const asked = new Map<number, Submission>();
  /** By CPU + 1: host row that must have come before the CPU's next event. */
  const busyUntil: number[] = [];
  let guestAlive = guest.next();
  let hostAlive = host.next();
  let guestCommands = 0;
  let hostRows = 0;
  let now = 0;
  let mapped = hostAlive ? toGuest(host.time) : 0;
  let wait = -1;
  let waitAsked = false;

  function submissionOf(command: number, ahead: boolean): Submission | undefined {
    if (!native) return asked.get(command);
    // A doorbell belongs to the last command of its batch, and the others are still to come.
    if (ahead) {
      let at = submissionsHead;
      while (at < submissions.length && submissions[at]!.command < command) at++;
      return submissions[at]?.command === command ? submissions[at] : undefined;
    }
    while (submissionsHead < submissions.length && submissions[submissionsHead]!.command < command) {
      // The one before is kept until the next is needed: a wait comes after its commands.
      if (submissionsHead + 1 < submissions.length && submissions[submissionsHead + 1]!.command <= command)
        submissionsHead++;
      else break;
    }
    if (submissionsHead > 4096) {
      submissions.splice(0, submissionsHead);
      submissionsHead = 0;
    }
    const found = submissions[submissionsHead];
    return found?.command === command ? found : undefined;
  }

  function takeGuest(): void {
    if (guest.time > now) now = guest.time;
    const command = commandAt[guest.stream]?.[guest.streamRow] ?? -1;
    if (command >= 0) {
      guestCommands = command + 1;
      const end = batchEnd[command]!;
      if (end >= 0 && native) {
        const unit = guest.segment!.rows.inv.columns.unit?.[guest.row] ?? -1;
        submissions.push({ command, time: guest.time, cpu: guest.cpu, task: guest.task, unit });
        busyUntil[guest.cpu + 1] = end;
        visitor.submitted(guest);
        guestAlive = guest.next();
        return;
      }
      if (end >= 0) asked.set(command, { command, time: guest.time, cpu: guest.cpu, task: guest.task, unit: -1 });
    }
    visitor.guest(guest);
    guestAlive = guest.next();
  }

  function takeHost(latest: Nanoseconds): void {
    let time = mapped;
    if (time < 0) {
      shifts.beforeClock++;
      time = 0;
    } else if (time > latest) {
      if (time - latest > NOTICEABLE) shifts.earlier++;
      shifts.maxEarlierNs = Math.max(shifts.maxEarlierNs, time - latest);
      time = latest;
    }
    if (time < now) {
      const doorbell = host.stream === STREAM_ID.inv && hostRole[host.streamRow] === ROLE.doorbell;
      if (now - mapped > NOTICEABLE && mapped >= 0 && !doorbell) {
        shifts.later++;
        shifts.maxLaterNs = Math.max(shifts.maxLaterNs, now - mapped);
      }
      time = now;
    }
    now = time;
    let submission: Submission | undefined;
    if (host.stream === STREAM_ID.inv) {
      hostRows = host.streamRow + 1;
      const command = guestOf[host.streamRow]!;
      if (command >= 0) submission = submissionOf(command, hostRole[host.streamRow] === ROLE.doorbell);
    }
    if (wait >= 0) visitor.waited(host, wait);
    wait = -1;
    waitAsked = false;
    visitor.host(host, time, submission);
    if (submission !== undefined && !native && batchEnd[submission.command] === host.streamRow) {
      asked.delete(submission.command);
    }
    hostAlive = host.next();
    if (hostAlive) mapped = toGuest(host.time);
  }

  /** The guest's next event shows that the host is done with the CPU's last batch. */
  function hostFirst(): boolean {
    const end = busyUntil[guest.cpu + 1];
    if (end === undefined || end < hostRows) return false;
    const command = guest.stream === STREAM_ID.inv ? (commandAt[STREAM_ID.inv]?.[guest.streamRow] ?? -1) : -1;
    return command < 0 || batchEnd[command] !== end;
  }

  while (guestAlive && hostAlive) {
    if (hostFirst()) {
      // What the host still waits for can't be: the CPU went on.
      wait = -1;
      waitAsked = true;
      takeHost(Math.max(now, guest.time));
      continue;
    }
    if (host.stream === STREAM_ID.inv && guestOf[host.streamRow]! >= guestCommands) {
      takeGuest();
      continue;
    }
    if (wait >= 0) {
      if (guest.ordinal <= wait) {
        takeGuest();
        continue;
      }
      takeHost(Number.POSITIVE_INFINITY);
      continue;
    }
    if (mapped > guest.time || (mapped === guest.time && guest.stream !== STREAM_ID.unmap)) {
      takeGuest();
      continue;
    }
    if (!waitAsked) {
      waitAsked = true;
      wait = visitor.waitFor(host, mapped, guest);
      if (wait >= 0) continue;
    }
    takeHost(Number.POSITIVE_INFINITY);
  }
  while (guestAlive) takeGuest();
  while (hostAlive) takeHost(Number.POSITIVE_INFINITY);
  return shifts;
}
