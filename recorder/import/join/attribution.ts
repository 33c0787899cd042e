import type { Trace } from '../../../traces/trace.ts';
import type { DomainId } from '../../../traces/units.ts';
import { labelBursts } from './bursts.ts';
import type { SettledCounts } from './contests.ts';
import type { GuestEvidence } from './guest-evidence.ts';
import { EVIDENCE, EVIDENCE_NAMES } from './owner-rows.ts';
import type { OwnerRows } from './owner-rows.ts';

/** How many rows of origin `iommu` got a domain, and how. Plain data. */
export interface AttributedRows {
  readonly rows: number;
  readonly attributed: number;
  readonly unattributed: number;
  /** Rows by the evidence that named their domain first. */
  readonly byEvidence: { readonly [evidence: string]: number };
}

export interface AttributionReport {
  readonly maps: AttributedRows;
  readonly unmaps: AttributedRows;
  /** Findings that contradict an earlier one; the earlier was kept. */
  readonly conflicts: number;
  /** How it was found which maps an unmap closed. */
  readonly settled: Readonly<SettledCounts>;
  /** `dma:*` events read, and those that no map or unmap fits. */
  readonly dmaApi: { readonly events: number; readonly unclaimed: number };
}

/**
 * Domain and device of each row of the `map` and `unmap` streams, by row in the whole trace; -1 where not known. Rows of
 * other origins than `iommu` keep what their source said.
 */
export interface Attribution {
  readonly mapDomain: Int32Array;
  readonly mapDevice: Int32Array;
  readonly unmapDomain: Int32Array;
  readonly unmapDevice: Int32Array;
  readonly report: AttributionReport;
}

export interface AttributionOptions {
  /**
   * Use the domain ids of the flush events and invalidations where nothing else is known (default). Without them a check of
   * the recorded invalidations against the unmaps does not rest on itself.
   */
  readonly flush?: boolean;
}

const BURST_ROUNDS = 4;

/** Draws the last conclusions when all events have been read. `guest` is read once more, for neighbours. */
export function concludeOwners(guest: Trace, evidence: GuestEvidence, options: AttributionOptions = {}): Attribution {
  const { owners, domains } = evidence;
  const { maps, unmaps } = owners;
  owners.finish();
  domainsOfDevices(maps, evidence);
  domainsOfDevices(unmaps, evidence);
  pair(evidence);
  // What a burst of maps shows of their unmaps may complete a burst of unmaps.
  for (let round = 0; round < BURST_ROUNDS && labelBursts(guest, maps, unmaps); round++) pair(evidence);
  byTask(maps, false);
  byTask(unmaps, anyFlushed(unmaps));
  pair(evidence);
  if (options.flush !== false) {
    byFlush(maps);
    byFlush(unmaps);
    pair(evidence);
  }
  eliminate(evidence);
  for (const rows of [maps, unmaps]) {
    for (let row = 0; row < rows.length; row++) {
      const domain = rows.domain[row]!;
      if (domain >= 0 && rows.device[row]! < 0 && rows.foreign[row] === 0) {
        rows.device[row] = domains.onlyDeviceOf(domain);
      }
    }
  }
  return {
    mapDomain: maps.domain.subarray(0, maps.length),
    mapDevice: maps.device.subarray(0, maps.length),
    unmapDomain: unmaps.domain.subarray(0, unmaps.length),
    unmapDevice: unmaps.device.subarray(0, unmaps.length),
    report: {
      maps: count(maps),
      unmaps: count(unmaps),
      conflicts: maps.conflicts + unmaps.conflicts + owners.otherOwner,
      settled: owners.settled,
      dmaApi: { events: evidence.dmaApi.events, unclaimed: evidence.dmaApi.unclaimed },
    },
  };
}

/** A device that is known by name has one domain: the one that it ever had, or that its flushes name. */
function domainsOfDevices(rows: OwnerRows, evidence: GuestEvidence): void {
  const voted = new Map<number, DomainId>();
  for (let row = 0; row < rows.length; row++) {
    const device = rows.device[row]!;
    if (device < 0 || rows.domain[row]! >= 0 || rows.foreign[row] === 1) continue;
    let domain = voted.get(device);
    if (domain === undefined) {
      domain = evidence.domains.onlyDomainOf(device);
      if (domain < 0) domain = evidence.votedDomain(device);
      voted.set(device, domain);
    }
    if (domain >= 0) rows.domain[row] = domain;
  }
}

/** What is known of an unmap is known of the maps that it closed, and the other way round. */
function pair(evidence: GuestEvidence): void {
  const { owners } = evidence;
  const { maps, unmaps, closedBy } = owners;
  for (let row = 0; row < closedBy.length; row++) {
    const unmap = closedBy.get(row);
    if (unmap < 0 || maps.domain[row]! < 0 || unmaps.domain[unmap]! >= 0) continue;
    if (owners.releasedBetween(maps.domain[row]!, row, unmap)) {
      closedBy.set(row, -1);
      owners.settled.released++;
    } else unmaps.label(unmap, maps.domain[row]!, maps.device[row]!, EVIDENCE.pair);
  }
  for (let row = 0; row < closedBy.length; row++) {
    const unmap = closedBy.get(row);
    if (unmap < 0 || unmaps.domain[unmap]! < 0 || maps.domain[row]! >= 0) continue;
    if (owners.releasedBetween(unmaps.domain[unmap]!, row, unmap)) closedBy.set(row, -1);
    else maps.label(row, unmaps.domain[unmap]!, unmaps.device[unmap]!, EVIDENCE.pair);
  }
}

/**
 * A task that attached a device itself (VFIO, IOMMUFD) and works with one domain. Where unmaps are flushed at once, one that no
 * flush follows is of a domain that no device is attached to, and has no id.
 */
function byTask(rows: OwnerRows, flushedAtOnce: boolean): void {
  for (let row = 0; row < rows.length; row++) {
    const domain = rows.task[row]!;
    if (domain < 0 || rows.domain[row]! >= 0 || rows.foreign[row] === 1) continue;
    if (flushedAtOnce && rows.flushed[row] !== domain) continue;
    rows.label(row, domain, -1, EVIDENCE.attach);
  }
}

function anyFlushed(rows: OwnerRows): boolean {
  for (let row = 0; row < rows.length; row++) if (rows.flushed[row]! >= 0) return true;
  return false;
}

function byFlush(rows: OwnerRows): void {
  for (let row = 0; row < rows.length; row++) {
    if (rows.flushed[row]! >= 0 && rows.domain[row]! < 0) {
      rows.label(row, rows.flushed[row]!, -1, EVIDENCE.flush);
    }
  }
}

/**
 * Of the domains in use all but one have shown which maps are theirs: the rest belongs to that one (a driver that bypasses
 * the `dma:*` events, such as NVMe since Linux 6.18).
 */
function eliminate(evidence: GuestEvidence): void {
  const { maps, unmaps } = evidence.owners;
  if (evidence.dmaApi.events === 0) return;
  const shown = new Set<DomainId>();
  for (let row = 0; row < maps.length; row++) {
    if (maps.evidence[row] === EVIDENCE.dmaApi || maps.evidence[row] === EVIDENCE.access) {
      shown.add(maps.domain[row]!);
    }
  }
  const silent = [...evidence.flushedDomains].filter((domain) => !shown.has(domain));
  if (silent.length !== 1) return;
  for (const rows of [maps, unmaps]) {
    for (let row = 0; row < rows.length; row++) {
      if (rows.domain[row]! < 0 && rows.foreign[row] === 0) {
        rows.label(row, silent[0]!, -1, EVIDENCE.elimination);
      }
    }
  }
}

function count(rows: OwnerRows): AttributedRows {
  const found = EVIDENCE_NAMES.map(() => 0);
  let all = 0;
  let attributed = 0;
  for (let row = 0; row < rows.length; row++) {
    if (rows.foreign[row] === 1) continue;
    all++;
    if (rows.domain[row]! < 0) continue;
    attributed++;
    found[rows.evidence[row]!]!++;
  }
  const byEvidence: Record<string, number> = {};
  EVIDENCE_NAMES.forEach((name, evidence) => {
    if (found[evidence]! > 0) byEvidence[name] = found[evidence]!;
  });
  return { rows: all, attributed, unattributed: all - attributed, byEvidence };
}
