import { domainsOfAccesses } from './access-domains.ts';
import { IorrError } from '../../../traces/errors.ts';
import type { TraceHeader } from '../../../traces/header.ts';
import { ATTACH, OUTCOME, STREAM_ID } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import type { EventSink, ReadPlan, Trace } from '../../../traces/trace.ts';
import { pageNumber } from '../../../traces/units.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import { OWNER_PLAN } from './attribute.ts';
import { concludeOwners } from './attribution.ts';
import type { Attribution, AttributionOptions, AttributionReport } from './attribution.ts';
import { createClockMapper, fitClock } from './clock-fit.ts';
import type { ClockFit } from './clock-fit.ts';
import { LEAST_ACCESS_PAIRS, pairAccesses } from './access-clock.ts';
import type { AccessClock } from './access-clock.ts';
import { nativeLog, readCommands } from './commands.ts';
import type { Fingerprints } from './commands.ts';
import { createRowCopier } from '../../../traces/row-copier.ts';
import type { EventCursor } from './event-cursor.ts';
import { GuestEvidence } from './guest-evidence.ts';
import { IntList } from './int-list.ts';
import { ACCESS_FOUND } from './map-owners.ts';
import { matchCommands } from './match-commands.ts';
import { matchFlushes } from './match-flushes.ts';
import { matchRequests } from './match-requests.ts';
import type { CommandMatch, UnmatchedCommands } from './match-commands.ts';
import { linkCommands, mergeTraces } from './merge.ts';
import type { CommandLinks, MergeShifts, MergeVisitor } from './merge.ts';
import { FLUSHES, adoptPieces, dialectOf, readGuestRequests, readHostRequests, requestSchemes } from './requests.ts';

/** What the join found out; plain data for `TraceSummary.notes`. */
export interface JoinReport {
  readonly commands: {
    /**
     * What brings the logs together: commands that both hold; maps and unmaps of the guest with the commands that they made the
     * driver send; or the first accesses through the guest's maps.
     */
    readonly by: 'commands' | 'requests' | 'accesses';
    readonly matched: number;
    /** In one log alone: before the other one starts, in holes, after the other one ends. */
    readonly guestOnly: UnmatchedCommands;
    readonly hostOnly: UnmatchedCommands;
  };
  readonly clock: Omit<ClockFit, 'map'> & MergeShifts;
  readonly accesses: AccessReport;
  readonly attribution: AttributionReport;
}

export interface AccessReport {
  /** Translations with an output: no faults, nothing passed through. */
  readonly translations: number;
  /** Page-table walks among them, and those that no live map explains. */
  readonly walks: number;
  readonly unexplainedWalks: number;
  /** Cached translations that no live map explains. */
  readonly unexplainedHits: number;
  /** Placed after a map that the clocks alone put later, and by how much at most. */
  readonly held: number;
}

export interface JoinOptions extends AttributionOptions {
  /** Called now and then with the share done, 0 to 1. */
  readonly progress?: (share: number) => void;
}

/** A map may be logged so much after the mapped time of the access that goes through it: the clocks' uncertainty. */
const UNCERTAIN: Nanoseconds = 100_000;
/** Guest events looked through for that map. */
const LOOK_AHEAD = 256;
/** Below this share of the commands that both logs should have, they are not of one run. */
const LEAST_SHARE = 0.5;
/** Share of a guest's maps and unmaps that commands must follow to be taken for theirs. */
const LEAST_OF_REQUESTS = 0.02;
/** From a map to the quickest access through it. */
const QUICKEST: Nanoseconds = 15_000;
/** Share of accesses that a finer clock may put behind the end of their maps, beyond those of a coarse one. */
const LATER = 0.05;

const HOST_PLAN: ReadPlan = {
  columns: { dma: ['rid', 'domain', 'iova', 'outcome', 'out', 'pageShift'], attach: 'all' },
};

/** The header of a joined trace: the guest's clock, both sources, and what either could see. */
export function joinHeaders(guest: TraceHeader, host: TraceHeader): TraceHeader {
  return {
    ...guest,
    sources: [...guest.sources, ...host.sources],
    host: { ...host.host, ...guest.host },
    clock: { ...guest.clock, resolutionNs: Math.max(guest.clock.resolutionNs, host.clock.resolutionNs) },
    fidelity: { ...guest.fidelity, ...host.fidelity, ...guestFidelity(guest) },
  };
}

function guestFidelity(guest: TraceHeader): TraceHeader['fidelity'] {
  const { inv: _inv, fault: _fault, ...rest } = guest.fidelity;
  return rest;
}

/**
 * Joins the traces of one run, the guest's (maps and commands, no accesses) and the host's (accesses and commands, no maps),
 * into one trace in guest time, written to `sink`. Each command that both hold becomes one event at the time at which the
 * hardware took it, with the submitter's CPU and task and its `lag`.
 *
 * Reads each input three times; memory grows with maps, unmaps and commands (some tens of bytes each), not with accesses.
 * Throws IorrError JOIN_IMPOSSIBLE if the logs have no commands in common.
 */
export function joinTraces(guest: Trace, host: Trace, sink: EventSink, options: JoinOptions = {}): JoinReport {
  checkSides(guest, host);
  const { links, clock, ...match } = matchLogs(guest, host);
  const gathered = gatherOwners(guest, host, links, clock, match.domainOf, options);
  const shifts = write(guest, host, links, clock, gathered, sink);
  const { map: _map, ...fit } = clock;
  return {
    commands: { by: match.by, matched: match.matched, guestOnly: match.guestOnly, hostOnly: match.hostOnly },
    clock: { ...fit, ...shifts },
    accesses: gathered.accesses,
    attribution: gathered.attribution.report,
  };
}

function checkSides(guest: Trace, host: Trace): void {
  const { map, unmap } = host.streamCounts;
  if (map + unmap === 0 && guest.streamCounts.dma === 0) return;
  throw new IorrError(
    'JOIN_IMPOSSIBLE',
    "expected a guest's trace (maps, no accesses) and its host's (accesses, no maps); " +
      `the first has ${guest.streamCounts.dma} accesses, the second ${map + unmap} maps and unmaps`,
    { hint: 'Give one capture of each side of one run: the tracefs text of the guest and the QEMU log of its host.' },
  );
}

/** How the logs of a run go together. */
interface MatchedLogs {
  readonly by: JoinReport['commands']['by'];
  readonly matched: number;
  readonly guestOnly: UnmatchedCommands;
  readonly hostOnly: UnmatchedCommands;
  readonly links: CommandLinks;
  readonly clock: ClockFit;
  /** Domain that the commands name which a guest's map or unmap asked for, by the number of the request; -1 for none. */
  readonly domainOf: Int32Array;
}

const NONE: UnmatchedCommands = { before: 0, between: 0, after: 0 };

function matchLogs(guest: Trace, host: Trace): MatchedLogs {
  const matched = guest.streamCounts.inv > 0 ? matchNative(guest, host) : matchMaps(guest, host);
  if (matched !== null) return matched;
  const byAccess = matchAccesses(guest, host);
  if (byAccess !== null) return byAccess;
  throw new IorrError(
    'JOIN_IMPOSSIBLE',
    `no command is in both captures: the guest's log has ${guest.streamCounts.inv} commands, ${guest.streamCounts.map} maps ` +
      `and ${guest.streamCounts.unmap} unmaps, the host's ${host.streamCounts.inv} commands and ${host.streamCounts.dma} ` +
      'accesses, expected some that belong together',
    {
      hint: 'Give captures of one run. Record the guest with iommu:* and, on VT-d, intel_iommu:qi_submit; the host with its commands.',
    },
  );
}

function matchNative(guest: Trace, host: Trace): MatchedLogs | null {
  let hostLog = readCommands(host);
  const canonical = hostLog.decoded > 0;
  if (canonical) hostLog = readCommands(host, true);
  const guestLog = nativeLog(readCommands(guest, canonical));
  const match = matchCommands(guestLog, hostLog);
  if (match === null || match.matched === 0) return null;
  if (!agree(match)) {
    throw new IorrError(
      'JOIN_IMPOSSIBLE',
      `the captures look like two different runs: the guest's log has ${guestLog.key.length} commands, the host's ` +
        `${hostLog.key.length}, and only ${match.matched} agree in words, order and time`,
      { hint: 'Give captures of one run; import them one by one otherwise.' },
    );
  }
  return {
    by: 'commands',
    matched: match.matched,
    guestOnly: match.guest,
    hostOnly: match.host,
    links: linkCommands(guestLog, hostLog, match),
    clock: fitInOrder(guestLog, hostLog, match.hostOf),
    domainOf: new Int32Array(0),
  };
}

/** Of one run, one log may go on where the other has ended or has a hole; both at once means that they tell different stories. */
function agree({ guest: g, host: h, matched }: CommandMatch): boolean {
  const disagree = Math.min(g.before, h.before) + Math.min(g.between, h.between) + Math.min(g.after, h.after);
  return matched >= LEAST_SHARE * (matched + disagree);
}

function matchMaps(guest: Trace, host: Trace): MatchedLogs | null {
  for (const scheme of requestSchemes(dialectOf(host))) {
    const guestLog = readGuestRequests(guest, scheme);
    const hostLog = readHostRequests(host, scheme);
    const match = matchRequests(guestLog, hostLog, scheme.afterwards);
    if (match === null || !areOfOneRun(match.matched, guestLog.key.length, hostLog.key.length)) continue;
    const { hostOf } = match;
    const domainOf = hostOf.map((command) => (command < 0 ? -1 : hostLog.domain[command]!));
    const commandOf = adoptPieces(guestLog, hostLog, hostOf);
    return {
      by: 'requests',
      matched: match.matched,
      guestOnly: match.guest,
      hostOnly: match.host,
      links: linkCommands(guestLog, { ...hostLog, commandOf }, match),
      clock: match.clock,
      domainOf,
    };
  }
  return null;
}

/** By chance a few agree; in a lazy run most unmaps are followed by no command. */
function areOfOneRun(matched: number, requests: number, commands: number): boolean {
  return matched >= LEAST_SHARE * Math.min(requests, commands) && matched >= LEAST_OF_REQUESTS * requests;
}

function matchAccesses(guest: Trace, host: Trace): MatchedLogs | null {
  const accesses = pairAccesses(guest, host);
  if (accesses === null || accesses.pairs.host.length < LEAST_ACCESS_PAIRS) return null;
  const guestLog = readGuestRequests(guest, FLUSHES);
  const hostLog = readHostRequests(host, FLUSHES);
  const byFlush = matchFlushes(guestLog, hostLog, accesses.toGuest);
  // A clock that puts accesses behind the end of their maps is wrong.
  const believed =
    byFlush !== null && accesses.late(createClockMapper(byFlush.clock.map)) <= accesses.late(accesses.toGuest) + LATER;
  const flushes = believed ? byFlush : null;
  const hostOf = flushes?.hostOf ?? new Int32Array(guestLog.key.length).fill(-1);
  const matched = flushes?.matched ?? 0;
  return {
    by: 'accesses',
    matched,
    guestOnly: NONE,
    hostOnly: { ...NONE, between: hostLog.key.length - matched },
    links: linkCommands(guestLog, hostLog, { hostOf }),
    clock: flushes?.clock ?? fitAccesses(accesses),
    // A timer's flush comes behind some unmap, too.
    domainOf: new Int32Array(guestLog.key.length).fill(-1),
  };
}

/** The clock of the accesses: the quickest of them came a little after its map, too. */
function fitAccesses({ pairs }: AccessClock): ClockFit {
  const fit = fitClock(pairs.host, pairs.guest);
  const { min, median, p99, max } = fit.residualNs;
  return {
    ...fit,
    map: { ...fit.map, guest: fit.map.guest.map((time) => time + QUICKEST) },
    residualNs: { min: min + QUICKEST, median: median + QUICKEST, p99: p99 + QUICKEST, max: max + QUICKEST },
  };
}

function fitInOrder(guest: Fingerprints, host: Fingerprints, hostOf: Int32Array): ClockFit {
  const commands = hostOf.filter((command) => command >= 0);
  const requests = Int32Array.from(hostOf.keys()).filter((index) => hostOf[index]! >= 0);
  return fitClock(
    Float64Array.from(commands, (command) => host.time[command]!),
    Float64Array.from(requests, (index) => guest.time[index]!),
  );
}

interface Gathered {
  readonly attribution: Attribution;
  readonly accesses: AccessReport;
  /** Host events (by number) that wait for guest events (by number), in order. */
  readonly waiting: Int32Array;
  readonly awaited: Int32Array;
}

/** The first walk through the merged events: who owns which map. */
function gatherOwners(
  guest: Trace,
  host: Trace,
  links: CommandLinks,
  clock: ClockFit,
  domainOf: Int32Array,
  options: JoinOptions,
): Gathered {
  const evidence = new GuestEvidence(options.flush !== false);
  const { owners } = evidence;
  const waiting = new IntList();
  const awaited = new IntList();
  const access = new Access();
  const counts = { translations: 0, walks: 0, unexplainedWalks: 0, unexplainedHits: 0, held: 0 };
  const feed = (cursor: EventCursor): void => {
    evidence.event(cursor.stream, cursor.segment!, cursor.row, cursor.time, cursor.cpu, cursor.task);
  };
  const { domains } = evidence;
  const observe = links.native
    ? (device: number, domain: number): void => domains.observe(device, domain)
    : (device: number, domain: number): void => domains.moved(device, domain);
  const named = links.native || options.flush === false ? [] : links.commandAt;
  const visitor: MergeVisitor = {
    guest(cursor) {
      feed(cursor);
      const command = named[cursor.stream]?.[cursor.streamRow] ?? -1;
      const domain = command < 0 ? -1 : domainOf[command]!;
      if (domain >= 0) evidence.requested(cursor.stream === STREAM_ID.map, cursor.streamRow, domain);
    },
    submitted: feed,
    host(cursor, time) {
      if (cursor.stream === STREAM_ID.attach) {
        const { columns } = cursor.segment!.rows.attach;
        if (columns.kind[cursor.row] === ATTACH.attach) {
          observe(columns.device[cursor.row] ?? -1, columns.domain[cursor.row] ?? -1);
        }
        return;
      }
      if (cursor.stream !== STREAM_ID.dma || !access.read(cursor.segment!, cursor.row)) return;
      counts.translations++;
      if (access.walked) counts.walks++;
      observe(access.device, access.domain);
      const found = owners.access(access.device, access.domain, access, time);
      if (found === ACCESS_FOUND.map) return;
      if (access.walked) counts.unexplainedWalks++;
      else counts.unexplainedHits++;
    },
    waitFor(cursor, time, ahead) {
      if (cursor.stream !== STREAM_ID.dma || !access.read(cursor.segment!, cursor.row)) return -1;
      if (owners.holds(access)) return -1;
      const events = ahead.upcoming(STREAM_ID.map, time + UNCERTAIN, LOOK_AHEAD, (segment, row) =>
        access.goesThrough(segment, row),
      );
      return events < 0 ? -1 : ahead.ordinal + events;
    },
    waited(cursor, ordinal) {
      counts.held++;
      waiting.push(cursor.ordinal);
      awaited.push(ordinal);
    },
  };
  mergeTraces(guest, host, links, createClockMapper(clock.map), visitor, { guest: OWNER_PLAN, host: HOST_PLAN });
  return {
    attribution: concludeOwners(guest, evidence, options),
    accesses: counts,
    waiting: waiting.view(),
    awaited: awaited.view(),
  };
}

/** One dma event as the owner table sees it. */
class Access {
  device = -1;
  domain = -1;
  page = 0;
  out = 0;
  /**
   * Pages from `out` on, in any of which the output may lie: the source named the first byte of a page without its size. 1
   * where `out` is exact.
   */
  span = 1;
  walked = false;

  /** False for events without a translation: refused, or passed through. */
  read(segment: Segment, row: number): boolean {
    const { columns } = segment.rows.dma;
    const outcome = columns.outcome[row]!;
    if ((outcome & (OUTCOME.fault | OUTCOME.bypass)) !== 0) return false;
    this.device = columns.rid[row]!;
    this.domain = columns.domain[row]!;
    this.walked = (outcome & OUTCOME.known) !== 0 && (outcome & OUTCOME.hit) === 0;
    this.page = pageNumber(columns.iovaLo[row]!, columns.iovaHi[row]!);
    this.out = pageNumber(columns.outLo[row]!, columns.outHi[row]!);
    const shift = columns.pageShift[row]!;
    this.span = shift === 0 ? alignment(this.out) : 1;
    if (shift > 12 && shift < 52) {
      // The output is that of the large page's first byte, or of the page itself: compare what lies within.
      const within = this.page % 2 ** (shift - 12);
      if (this.out % 2 ** (shift - 12) === 0) this.out += within;
    }
    return true;
  }

  /** Is this `map` row the one that the access went through? */
  goesThrough(segment: Segment, row: number): boolean {
    const { columns } = segment.rows.map;
    if (columns.origin[row] !== 0) return false;
    const start = pageNumber(columns.iovaLo[row]!, columns.iovaHi[row]!);
    const within = this.page - start;
    if (within < 0 || within >= pageNumber(columns.sizeLo[row]!, columns.sizeHi[row]!)) return false;
    const out = pageNumber(columns.physLo[row]!, columns.physHi[row]!) + within;
    return out >= this.out && out < this.out + this.span;
  }
}

/** Pages of the largest power of two, up to 1 GiB, that a page number is a multiple of. */
function alignment(page: number): number {
  let pages = 1;
  while (pages < 0x40000 && page % (pages * 2) === 0) pages *= 2;
  return pages;
}

/** The second walk: the same order again, written out. */
function write(
  guest: Trace,
  host: Trace,
  links: CommandLinks,
  clock: ClockFit,
  gathered: Gathered,
  sink: EventSink,
): MergeShifts {
  const copyGuest = createRowCopier(guest, sink);
  const copyHost = createRowCopier(host, sink);
  const { attribution, waiting, awaited } = gathered;
  const domainOf = domainsOfAccesses(attribution);
  const hostSource = guest.header.sources.length;
  const units: number[] = [];
  let next = 0;
  const visitor: MergeVisitor = {
    guest(cursor) {
      const { stream, streamRow } = cursor;
      const source = cursor.segment!.source[cursor.index]!;
      const row = sink.begin(stream, cursor.time, cursor.cpu, cursor.task, source);
      copyGuest(cursor.segment!, stream, cursor.row, row);
      if (stream === STREAM_ID.map) {
        const { columns } = sink.rows.map;
        columns.domain[row] = attribution.mapDomain[streamRow]!;
        columns.device[row] = attribution.mapDevice[streamRow]!;
      } else if (stream === STREAM_ID.unmap) {
        const { columns } = sink.rows.unmap;
        columns.domain[row] = attribution.unmapDomain[streamRow]!;
        columns.device[row] = attribution.unmapDevice[streamRow]!;
      }
    },
    submitted() {},
    host(cursor, time, submission) {
      const { stream } = cursor;
      const source = hostSource + cursor.segment!.source[cursor.index]!;
      const row = sink.begin(stream, time, submission?.cpu ?? cursor.cpu, submission?.task ?? cursor.task, source);
      copyHost(cursor.segment!, stream, cursor.row, row);
      if (stream === STREAM_ID.dma) {
        const { domain, rid } = sink.rows.dma.columns;
        if (domain[row]! < 0) domain[row] = domainOf.get(rid[row]!) ?? -1;
        return;
      }
      if (submission === undefined) return;
      const { columns } = sink.rows.inv;
      if (submission.unit >= 0) {
        const unit = (units[submission.unit] ??= sink.intern(guest.strings[submission.unit] ?? ''));
        columns.unit[row] = unit;
      }
      const lag = Math.max(0, time - submission.time);
      columns.lagLo[row] = lag | 0;
      columns.lagHi[row] = Math.floor(lag / 0x100000000);
    },
    waitFor: (cursor) => (waiting[next] === cursor.ordinal ? awaited[next++]! : -1),
    waited() {},
  };
  return mergeTraces(guest, host, links, createClockMapper(clock.map), visitor);
}
