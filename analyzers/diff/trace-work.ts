import { PageRequestSpans } from '../../replay/faults/page-request-spans.ts';
import { pageResponse, readPageResponse } from '../../replay/faults/page-response.ts';
import { dialectById } from '../../traces/dialects/dialects.ts';
import { ioctlName } from '../../traces/ioctl-requests.ts';
import {
  DIALECT_NAMES,
  DIRTY_OP,
  FLUSH,
  FLUSH_NAMES,
  INV_FORM,
  ORIGIN,
  OUTCOME,
  STREAM_ID,
  STREAM_NAMES,
} from '../../traces/schema.ts';
import type { StreamName } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { CellBuilder, mix } from './work-cells.ts';
import type { WorkCells } from './work-cells.ts';

const COLUMNS = {
  map: ['origin', 'iova', 'size'],
  unmap: ['origin', 'iova', 'size', 'unmapped'],
  inv: ['dialect', 'form', 'w0', 'w1', 'lag'],
  flush: ['op'],
  dma: ['outcome'],
  ioctl: ['request', 'duration', 'ret', 'errno', 'path'],
  prq: ['rid', 'pasid', 'group', 'access'],
  prs: ['rid', 'pasid', 'group', 'latency'],
  dirty: ['op', 'duration', 'count'],
  mark: ['text'],
} as const;

/** What cells are cut by: the first of these that a trace has. */
export const WORK_UNITS = ['unmap', 'map', 'inv', 'ioctl', 'dma', 'dirty', 'prq'] as const;
export type WorkUnit = (typeof WORK_UNITS)[number];

/** What a trace did, for `iorr diff`. */
export interface TraceWork {
  readonly cells: WorkCells;
  readonly events: number;
  readonly durationNs: Nanoseconds;
  /** Streams with events, or that the source could see. */
  readonly seen: ReadonlySet<StreamName>;
  /** Streams that the source could see all of: what is not there did not happen. */
  readonly full: ReadonlySet<StreamName>;
  /** Of what was asked for, in order: maps and unmaps with their addresses, or else ioctls. Alike: the same work was done. */
  readonly workHash: number;
  readonly workEvents: number;
}

/** A map or unmap that a driver asked the DMA API for, and not one of the page table. */
function tablesOf(trace: Trace): boolean {
  for (const { rows } of trace.segments({ columns: { map: ['origin'], unmap: ['origin'] }, untimed: true })) {
    for (const { count, columns } of [rows.map, rows.unmap]) {
      for (let row = 0; row < count; row++) if (columns.origin[row] !== ORIGIN.dmaApi) return true;
    }
  }
  return false;
}

/** A duration of less than 2^53 ns; what is longer or negative is none. */
function spanOf(lo: number, hi: number): Nanoseconds {
  return hi < 0 || hi >= 0x20_0000 ? 0 : hi * 0x1_0000_0000 + (lo >>> 0);
}

function bytesOf(lo: number, hi: number): number {
  return hi < 0 || hi >= 0x20_0000 ? 0 : hi * 0x1_0000_0000 + (lo >>> 0);
}

/** Doorbells are no commands, and calls of the DMA API no changes of tables. */
function isWork({ rows }: Segment, id: number, row: number, tables: boolean): boolean {
  if (id === STREAM_ID.map) return !tables || rows.map.columns.origin[row] !== ORIGIN.dmaApi;
  if (id === STREAM_ID.unmap) return !tables || rows.unmap.columns.origin[row] !== ORIGIN.dmaApi;
  if (id !== STREAM_ID.inv) return true;
  const form = rows.inv.columns.form[row];
  return form === INV_FORM.words || form === INV_FORM.decoded;
}

/** Ioctls that map (IOMMU_IOAS_MAP, _MAP_FILE, VFIO_IOMMU_MAP_DMA). */
const MAP_CALLS: ReadonlySet<number> = new Set([0x3b85, 0x3b8f, 0x3b71]);

/** Counts a trace into cells of equal work, by one pass. `unit` is what both sides of a comparison are cut by. */
export function readTraceWork(trace: Trace, unit: WorkUnit): TraceWork {
  const cells = new CellBuilder();
  const of = (name: string): number => cells.quantity(name);
  const tables = tablesOf(trace);
  const [maps, mappedBytes, unmaps, unmappedBytes] = [of('maps'), of('mappedBytes'), of('unmaps'), of('unmappedBytes')];
  const [dmaMaps, dmaUnmaps] = [of('dmaMaps'), of('dmaUnmaps')];
  const [commands, waits, doorbells, flushes] = [of('commands'), of('waits'), of('doorbells'), of('flushes')];
  const [accesses, known, missed] = [of('accesses'), of('knownOutcomes'), of('recordedMisses')];
  const [faults, requests, groups] = [of('faults'), of('pageRequests'), of('pageGroups')];
  const [ioctls, failedCalls, mapCalls] = [of('ioctls'), of('ioctlErrors'), of('mapCalls')];
  const [dirtySyncs, dirtySets] = [of('dirtySyncs'), of('dirtySets')];
  const byType = new Map<number, { readonly count: number; readonly lag: string }>();
  const byRequest = new Map<string, { readonly count: number; readonly ns: string }>();
  const response = pageResponse();
  const spans = new PageRequestSpans(({ ns }) => {
    cells.add(groups, 1);
    cells.sample('pageGroup', ns);
  });
  const unitId = STREAM_ID[unit];
  const counts = new Float64Array(STREAM_NAMES.length);
  let hash = 0x811c9dc5 | 0;
  let workEvents = 0;
  let first = -1;
  let last = 0;
  const byTables = trace.streamCounts.map + trace.streamCounts.unmap > 0;

  for (const segment of trace.segments({ columns: COLUMNS })) {
    const { stream, time, count, rows } = segment;
    const row = new Int32Array(STREAM_NAMES.length);
    for (let i = 0; i < count; i++) {
      const id = stream[i] ?? 0;
      const r = row[id] ?? 0;
      row[id] = r + 1;
      counts[id]! += 1;
      const at = time[i] ?? 0;
      if (first < 0) first = at;
      last = Math.max(last, at);
      cells.at(at);
      // the calls of drivers are what there is where nobody saw the tables
      if (id === unitId && isWork(segment, id, r, tables)) cells.work();
      switch (id) {
        case STREAM_ID.map:
        case STREAM_ID.unmap: {
          const isMap = id === STREAM_ID.map;
          const { origin, iovaLo, iovaHi, sizeLo, sizeHi } = (isMap ? rows.map : rows.unmap).columns;
          const api = origin[r] === ORIGIN.dmaApi;
          hash = mix(mix(mix(mix(hash, id), iovaLo[r] ?? 0), iovaHi[r] ?? 0), sizeLo[r] ?? 0);
          workEvents++;
          if (api) cells.add(isMap ? dmaMaps : dmaUnmaps, 1);
          if (!api || !tables) {
            const bytes = bytesOf(sizeLo[r] ?? 0, sizeHi[r] ?? 0);
            cells.add(isMap ? maps : unmaps, 1);
            cells.add(isMap ? mappedBytes : unmappedBytes, bytes);
          }
          break;
        }
        case STREAM_ID.inv: {
          const { dialect, form, w0Lo, w0Hi, w1Lo, w1Hi, lagLo, lagHi } = rows.inv.columns;
          if (form[r] === INV_FORM.doorbell) cells.add(doorbells, 1);
          if (form[r] !== INV_FORM.words && form[r] !== INV_FORM.decoded) break;
          const number = dialect[r] ?? -1;
          if (readPageResponse(response, number, w0Lo[r] ?? 0, w0Hi[r] ?? 0, w1Lo[r] ?? 0, w1Hi[r] ?? 0)) {
            spans.response(response.rid, response.pasid, response.group, at);
          }
          const known = dialectById(number);
          if (known === undefined) break;
          const type = known.typeNumber(w0Lo[r] ?? 0, w0Hi[r] ?? 0);
          const key = number * 64 + type;
          let names = byType.get(key);
          if (names === undefined) {
            const name = `${DIALECT_NAMES[number] ?? number}.${(known.typeNames[type] ?? 'undefined').replaceAll(' ', '-')}`;
            names = { count: type === known.completion ? waits : of(`command:${name}`), lag: `lag:${name}` };
            byType.set(key, names);
          }
          cells.add(names.count, 1);
          if (type !== known.completion) cells.add(commands, 1);
          const lag = spanOf(lagLo[r] ?? 0, lagHi[r] ?? 0);
          if (lag > 0) cells.sample(names.lag, lag);
          break;
        }
        case STREAM_ID.flush:
          cells.add(flushes, 1);
          if ((rows.flush.columns.op[r] ?? 0) === FLUSH.all) cells.add(of(`flush:${FLUSH_NAMES[FLUSH.all]}`), 1);
          break;
        case STREAM_ID.dma: {
          const outcome = rows.dma.columns.outcome[r] ?? 0;
          cells.add(accesses, 1);
          if ((outcome & OUTCOME.fault) !== 0) cells.add(faults, 1);
          else if ((outcome & OUTCOME.known) !== 0) {
            cells.add(known, 1);
            if ((outcome & OUTCOME.hit) === 0) cells.add(missed, 1);
          }
          break;
        }
        case STREAM_ID.ioctl: {
          const { request, durationLo, durationHi, errno, path } = rows.ioctl.columns;
          const number = (request[r] ?? 0) >>> 0;
          const file = path[r] ?? -1;
          const key = `${number} ${file}`;
          let names = byRequest.get(key);
          if (names === undefined) {
            const name = ioctlName(number, trace.strings[file]).replaceAll(' ', '-');
            names = { count: of(`ioctl:${name}`), ns: `ioctl:${name}` };
            if (byRequest.size < 4096) byRequest.set(key, names);
          }
          if (!byTables) {
            hash = mix(hash, number);
            workEvents++;
          }
          cells.add(ioctls, 1);
          cells.add(names.count, 1);
          if ((errno[r] ?? 0) > 0) cells.add(failedCalls, 1);
          else if (MAP_CALLS.has(number)) cells.add(mapCalls, 1);
          const ns = spanOf(durationLo[r] ?? 0, durationHi[r] ?? 0);
          if (ns > 0) cells.sample(names.ns, ns);
          break;
        }
        case STREAM_ID.fault:
          cells.add(faults, 1);
          break;
        case STREAM_ID.prq: {
          const { rid, pasid, group, access } = rows.prq.columns;
          cells.add(requests, 1);
          spans.request(rid[r] ?? 0, pasid[r] ?? -1, group[r] ?? 0, access[r] ?? 0, at);
          break;
        }
        case STREAM_ID.prs: {
          const { rid, pasid, group } = rows.prs.columns;
          spans.response(rid[r] ?? 0, pasid[r] ?? -1, group[r] ?? 0, at);
          break;
        }
        case STREAM_ID.dirty: {
          const { op, durationLo, durationHi } = rows.dirty.columns;
          const ns = spanOf(durationLo[r] ?? 0, durationHi[r] ?? 0);
          if (op[r] === DIRTY_OP.set) cells.add(dirtySets, 1);
          if (op[r] === DIRTY_OP.sync || op[r] === DIRTY_OP.harvest) {
            cells.add(dirtySyncs, 1);
            if (ns > 0) cells.sample(op[r] === DIRTY_OP.sync ? 'dirtySync' : 'dirtyHarvest', ns);
          }
          break;
        }
        case STREAM_ID.mark:
          cells.mark(trace.strings[rows.mark.columns.text[r] ?? -1] ?? '');
          break;
        default:
      }
    }
  }
  const seen = new Set(
    STREAM_NAMES.filter((name, id) => (counts[id] ?? 0) > 0 || trace.header.fidelity[name] !== undefined),
  );
  return {
    cells: cells.finish(),
    events: counts.reduce((sum, n) => sum + n, 0),
    durationNs: Math.max(0, last - Math.max(0, first)),
    seen,
    full: new Set(STREAM_NAMES.filter((name) => trace.header.fidelity[name] === 'full')),
    workHash: hash,
    workEvents,
  };
}
