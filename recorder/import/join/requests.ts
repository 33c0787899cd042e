import { AMD_COMMAND, amdCommand, amdDomain } from '../../../traces/dialects/amd-fields.ts';
import {
  SMMUV3_OPCODE,
  smmuAsid,
  smmuFirstPage,
  smmuIsTlbiRange,
  smmuOpcode,
  smmuVmid,
} from '../../../traces/dialects/smmuv3-fields.ts';
import { vtdAddressMask, vtdDomain, vtdGranularity, vtdType } from '../../../traces/dialects/vtd-fields.ts';
import { VIRTIO_REQUEST, virtioDomain, virtioPage, virtioRequest } from '../../../traces/dialects/virtio-fields.ts';
import { DIALECT, INV_FORM, ORIGIN, STREAM_ID } from '../../../traces/schema.ts';
import type { Columns } from '../../../traces/schema.ts';
import type { Trace } from '../../../traces/trace.ts';
import { pageNumber } from '../../../traces/units.ts';
import type { DomainId, PageNumber } from '../../../traces/units.ts';
import { ROLE, mix } from './commands.ts';
import type { CommandLog, GuestLog } from './commands.ts';
import type { RequestTimes } from './match-requests.ts';
import { EventCursor } from './event-cursor.ts';
import { IntList, NumberList } from './int-list.ts';
import { MapLists } from './map-lists.ts';

/**
 * Where a guest's kernel logs no commands (all but VT-d), its maps and unmaps stand for them: each is followed by the batch of
 * commands that it made the driver send. A scheme says which do so, and by what both logs know them.
 */
export interface RequestScheme {
  readonly maps: boolean;
  readonly unmaps: boolean;
  /**
   * - `start`: by the first page that the commands of a batch name;
   * - `cover`: by the first page of the naturally aligned power of two that covers the range (VT-d);
   * - `pieces`: by the number of commands, one per naturally aligned power of two of the range (AMD, where the unit says that it
   *   caches entries that are not present: drivers/iommu/amd/iommu.c, `domain_flush_pages`);
   * - `any`: by nothing but the time;
   * - `flush`: so, of commands that flush a whole domain.
   */
  readonly by: 'start' | 'cover' | 'pieces' | 'any' | 'flush';
  /** The kernel logs a map or unmap when its commands are in the queue already. */
  readonly afterwards: boolean;
}

/** A guest's maps and unmaps, with the ranges that they asked for. */
export interface GuestRequests extends GuestLog, RequestTimes {
  readonly page: Float64Array;
  readonly pages: Float64Array;
}

/** A host's commands in batches: the domain that each names, and its first page (0 where it names none). */
export interface HostRequests extends CommandLog {
  readonly domain: Int32Array;
  readonly page: Float64Array;
}

const MAP = 1;
const UNMAP = 2;
/** A map that no command answers to. */
const PIECE = 3;
/** Descriptor types, and the granularity of those that name a domain or pages of it (VT-d spec 6.5.2). */
const VTD_IOTLB = 2;
const VTD_WAIT = 5;
const VTD_PASID_IOTLB = 6;
const VTD_WHOLE = 2;
const VTD_PAGES = 3;

/** Schemes to try for a dialect, the most telling first. */
export function requestSchemes(dialect: number): readonly RequestScheme[] {
  switch (dialect) {
    case DIALECT.vtd:
      return [{ maps: false, unmaps: true, by: 'cover', afterwards: false }];
    case DIALECT.smmuv3:
      return [{ maps: false, unmaps: true, by: 'start', afterwards: false }];
    case DIALECT.virtio:
      return [{ maps: true, unmaps: true, by: 'start', afterwards: true }];
    case DIALECT.amd:
      return [
        { maps: true, unmaps: true, by: 'pieces', afterwards: true },
        { maps: false, unmaps: true, by: 'any', afterwards: true },
      ];
    default:
      return [];
  }
}

/** Unmaps that fill a flush queue, and the flushes that empty it. */
export const FLUSHES: RequestScheme = { maps: false, unmaps: true, by: 'flush', afterwards: false };

/** Dialect of a trace's commands, -1 if it has none. */
export function dialectOf(trace: Trace): number {
  if (trace.streamCounts.inv === 0) return -1;
  for (const { rows } of trace.segments({ columns: { inv: ['dialect', 'form'] } })) {
    const { dialect, form } = rows.inv.columns;
    for (let row = 0; row < rows.inv.count; row++) {
      if (form[row] === INV_FORM.words || form[row] === INV_FORM.decoded) return dialect[row]!;
    }
  }
  return -1;
}

class Prints {
  readonly key = new IntList();
  readonly check = new IntList();
  readonly time = new NumberList();

  add(kind: number, what: number, phys: PageNumber, time: number): void {
    this.key.push(0);
    this.check.push(0);
    this.time.push(time);
    this.#set(this.count - 1, kind, what, phys);
  }

  /** Only the last piece of a list asks for commands: as many as the whole list is cut into. */
  gather(list: readonly number[], commands: number): void {
    for (const piece of list) this.#set(piece, PIECE, 0, 0);
    const last = list.at(-1);
    if (last !== undefined) this.#set(last, 0, commands, 0);
  }

  #set(at: number, kind: number, what: number, phys: PageNumber): void {
    const hi = Math.floor(what / 0x100000000) ^ Math.imul(Math.floor(phys / 0x100000000), 0x9e3779b1);
    this.key.set(at, mix(0x1b873593, kind, what | 0, hi, phys | 0));
    this.check.set(at, mix(0x2545f491, phys | 0, hi, what | 0, kind));
  }

  get count(): number {
    return this.key.length;
  }

  view(): { key: Int32Array; check: Int32Array; time: Float64Array } {
    return { key: this.key.view(), check: this.check.view(), time: this.time.view() };
  }
}

/** Number of naturally aligned powers of two that a range of pages is cut into. */
export function piecesOf(page: PageNumber, pages: number): number {
  let pieces = 0;
  let at = page;
  let left = pages;
  while (left > 0 && pieces < 128) {
    let size = 1;
    while (size * 2 <= left && at % (size * 2) === 0) size *= 2;
    at += size;
    left -= size;
    pieces++;
  }
  return pieces;
}

/** The pages that a row touches. */
function rangeOf(
  columns: Columns<'map' | 'unmap'>,
  row: number,
): { readonly page: PageNumber; readonly pages: number } {
  const page = pageNumber(columns.iovaLo[row]!, columns.iovaHi[row]!);
  const [lo, hi] = [(columns.iovaLo[row]! & 0xfff) + (columns.sizeLo[row]! >>> 0), columns.sizeHi[row]!];
  return { page, pages: Math.ceil((lo + hi * 0x100000000) / 0x1000) };
}

/** First page of the smallest naturally aligned power of two that covers a range. */
function coverOf(page: PageNumber, pages: number): PageNumber {
  let size = 1;
  while (Math.floor(page / size) !== Math.floor((page + pages - 1) / size)) size *= 2;
  return page - (page % size);
}

/** The maps and unmaps of the iommu core, as a scheme has them. */
export function readGuestRequests(guest: Trace, scheme: RequestScheme): GuestRequests {
  const prints = new Prints();
  const firsts = new NumberList();
  const lengths = new NumberList();
  const until = new NumberList();
  /** The newest request of each task, which goes on when its batch is complete. */
  const newest = new Map<number, number>();
  const ofMap = new IntList();
  const ofUnmap = new IntList();
  const lists = scheme.by === 'pieces' ? new MapLists() : undefined;
  const cursor = new EventCursor(guest, {
    columns: { map: ['origin', 'iova', 'phys', 'size'], unmap: ['origin', 'iova', 'size', 'unmapped'] },
  });
  while (cursor.next()) {
    const isMap = cursor.stream === STREAM_ID.map;
    if (!isMap && cursor.stream !== STREAM_ID.unmap) continue;
    const { row } = cursor;
    const { rows } = cursor.segment!;
    const columns = isMap ? rows.map.columns : rows.unmap.columns;
    const list = isMap ? ofMap : ofUnmap;
    // What is unmapped though nothing was mapped is flushed by nobody.
    const nothing = !isMap && (rows.unmap.columns.unmappedLo[row]! | rows.unmap.columns.unmappedHi[row]!) === 0;
    if (columns.origin[row] !== ORIGIN.iommu || !(isMap ? scheme.maps : scheme.unmaps) || nothing) {
      list.push(-1);
      if (isMap && columns.origin[row] === ORIGIN.dmaApi) {
        const { page, pages } = rangeOf(columns, row);
        prints.gather(lists?.returned(cursor.task, page, pages) ?? [], piecesOf(page, pages));
      }
      continue;
    }
    list.push(prints.count);
    if (scheme.by !== 'start' && scheme.by !== 'cover') {
      const before = newest.get(cursor.task);
      if (before !== undefined) until.set(before, cursor.time);
      newest.set(cursor.task, prints.count);
    }
    until.push(Number.POSITIVE_INFINITY);
    const page = pageNumber(columns.iovaLo[row]!, columns.iovaHi[row]!);
    const pages = Math.max(1, pageNumber(columns.sizeLo[row]!, columns.sizeHi[row]!));
    firsts.push(page);
    lengths.push(pages);
    const phys = isMap ? pageNumber(rows.map.columns.physLo[row]!, rows.map.columns.physHi[row]!) : 0;
    if (scheme.by === 'start') prints.add(isMap ? MAP : UNMAP, page, phys, cursor.time);
    else if (scheme.by === 'cover') prints.add(UNMAP, coverOf(page, pages), 0, cursor.time);
    else {
      if (isMap) lists?.map(cursor.task, prints.count, page, pages);
      else lists?.other(cursor.task);
      prints.add(0, scheme.by === 'pieces' ? piecesOf(page, pages) : 0, 0, cursor.time);
    }
  }
  const commandAt: (Int32Array | undefined)[] = [];
  commandAt[STREAM_ID.map] = ofMap.view();
  commandAt[STREAM_ID.unmap] = ofUnmap.view();
  const { key, check, time } = prints.view();
  return {
    key,
    check,
    time,
    commandAt,
    native: false,
    page: firsts.view(),
    pages: lengths.view(),
    until: until.view(),
  };
}

/** What one row adds to the batch under way. */
interface RowMeaning {
  /** -1: it names no range or domain. */
  domain: DomainId;
  kind: number;
  page: PageNumber;
  phys: PageNumber;
  /** It ends the batch that it belongs to. */
  last: boolean;
  role: number;
}

/** The host's commands in the batches of a scheme. */
export function readHostRequests(host: Trace, scheme: RequestScheme): HostRequests {
  const prints = new Prints();
  const domain = new IntList();
  const page = new NumberList();
  const commandOf = new IntList();
  const role = new IntList();
  const meaning: RowMeaning = { domain: -1, kind: 0, page: 0, phys: 0, last: false, role: ROLE.command };
  const addressed = scheme.by === 'start' || scheme.by === 'cover';
  const open = { count: 0, domain: -1, kind: 0, page: 0, phys: 0, time: 0 };
  let decoded = 0;
  const close = (): void => {
    if (open.count === 0) return;
    if (addressed) prints.add(open.kind, open.page, open.phys, open.time);
    else prints.add(0, scheme.by === 'pieces' ? open.count : 0, 0, open.time);
    domain.push(open.domain);
    page.push(open.page);
    open.count = 0;
  };
  const cursor = new EventCursor(host, { columns: { inv: 'all' } });
  while (cursor.next()) {
    if (cursor.stream !== STREAM_ID.inv) continue;
    const { columns } = cursor.segment!.rows.inv;
    const { row } = cursor;
    const form = columns.form[row]!;
    if (form === INV_FORM.doorbell || form === INV_FORM.reset) {
      role.push(form === INV_FORM.doorbell ? ROLE.doorbell : ROLE.reset);
      commandOf.push(-1);
      continue;
    }
    if (form === INV_FORM.decoded) decoded++;
    understand(columns, row, scheme.by === 'flush', meaning);
    role.push(meaning.role);
    if (meaning.domain >= 0) {
      if (open.count > 0 && open.domain !== meaning.domain) close();
      if (open.count++ === 0) {
        open.domain = meaning.domain;
        open.kind = meaning.kind;
        open.page = meaning.page;
        open.phys = meaning.phys;
        open.time = cursor.time;
      }
      commandOf.push(prints.count);
    } else commandOf.push(-1);
    if (meaning.last) close();
  }
  close();
  const { key, check, time } = prints.view();
  return {
    key,
    check,
    time,
    domain: domain.view(),
    page: page.view(),
    commandOf: commandOf.view(),
    role: Uint8Array.from(role.view()),
    decoded,
  };
}

function understand(columns: Columns<'inv'>, row: number, flushes: boolean, meaning: RowMeaning): void {
  const w0Lo = columns.w0Lo[row]!;
  const w0Hi = columns.w0Hi[row]!;
  const w1Lo = columns.w1Lo[row]!;
  const w1Hi = columns.w1Hi[row]!;
  meaning.domain = -1;
  meaning.last = false;
  meaning.phys = 0;
  meaning.kind = UNMAP;
  meaning.role = ROLE.command;
  switch (columns.dialect[row]) {
    case DIALECT.vtd: {
      const type = vtdType(w0Lo);
      if (type === VTD_WAIT) {
        meaning.role = ROLE.wait;
        meaning.last = true;
      } else if (type !== VTD_IOTLB && type !== VTD_PASID_IOTLB) break;
      else if (vtdGranularity(w0Lo) === (flushes ? VTD_WHOLE : VTD_PAGES)) {
        meaning.domain = vtdDomain(w0Lo);
        meaning.page = 0;
        if (flushes) break;
        const pages = 2 ** vtdAddressMask(w1Lo);
        const page = pageNumber(w1Lo, w1Hi);
        meaning.page = page - (page % pages);
      }
      break;
    }
    case DIALECT.smmuv3:
      if (smmuOpcode(w0Lo) === SMMUV3_OPCODE.sync) {
        meaning.role = ROLE.wait;
        meaning.last = true;
      } else if (flushes ? smmuOpcode(w0Lo) === SMMUV3_OPCODE.tlbiNhAsid : smmuIsTlbiRange(w0Lo)) {
        meaning.domain = smmuAsid(w0Hi) | (smmuVmid(w0Hi) << 16);
        meaning.page = flushes ? 0 : smmuFirstPage(w1Lo, w1Hi);
      }
      break;
    case DIALECT.amd:
      if (amdCommand(w0Hi) === AMD_COMMAND.completionWait) {
        meaning.role = ROLE.wait;
        meaning.last = true;
      } else if (amdCommand(w0Hi) === AMD_COMMAND.pages) {
        meaning.domain = amdDomain(w0Hi);
        meaning.page = 0;
      }
      break;
    case DIALECT.virtio: {
      const type = virtioRequest(w0Lo);
      if (type !== VIRTIO_REQUEST.map && type !== VIRTIO_REQUEST.unmap) break;
      meaning.kind = type === VIRTIO_REQUEST.map ? MAP : UNMAP;
      meaning.domain = virtioDomain(w0Hi);
      meaning.page = virtioPage(w1Lo, w1Hi);
      if (type === VIRTIO_REQUEST.map) meaning.phys = virtioPage(columns.w3Lo[row]!, columns.w3Hi[row]!);
      meaning.last = true;
      break;
    }
    default:
  }
}

/** Commands back at which the one that a piece belongs to is looked for. */
const BACK = 8;

/**
 * A map or unmap that the driver cut into several requests has the first of them as its match. The others, which lie within its
 * range and follow soon, become parts of it: returns `commandOf` with the same number for all.
 */
export function adoptPieces(guest: GuestRequests, host: HostRequests, hostOf: Int32Array): Int32Array {
  const guestOf = new Int32Array(host.key.length).fill(-1);
  hostOf.forEach((command, index) => {
    if (command >= 0) guestOf[command] = index;
  });
  const first = Int32Array.from(guestOf, (_, command) => command);
  for (let command = 1; command < guestOf.length; command++) {
    if (guestOf[command]! >= 0) continue;
    for (let before = command - 1; before >= 0 && before >= command - BACK; before--) {
      const owner = first[before]!;
      const request = guestOf[owner]!;
      if (request < 0 || host.domain[owner] !== host.domain[command]) continue;
      const within = host.page[command]! - guest.page[request]!;
      if (within <= 0 || within >= guest.pages[request]!) continue;
      first[command] = owner;
      break;
    }
  }
  return host.commandOf.map((command) => (command < 0 ? -1 : first[command]!));
}
