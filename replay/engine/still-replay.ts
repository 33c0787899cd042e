import { IorrError } from '../../traces/errors.ts';
import { ATTACH, INV_FORM, OUTCOME, RESET, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import { ABSENT } from '../../traces/units.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { ConfigurationCaches } from '../model/configuration-caches.ts';
import { DeviceTlbs } from '../model/device-tlbs.ts';
import { EFFECTS } from '../model/effects.ts';
import { entryMatch } from '../model/entry-match.ts';
import type { HardwareCaches, Invalidatable } from '../model/hardware-caches.ts';
import { iotlbGeometry } from '../model/organisation.ts';
import { PageTables } from '../model/page-tables.ts';
import { formatsOfProfile } from '../model/profile-format.ts';
import { PairIndex } from '../model/requesters.ts';
import { createSetKernel, suitsKernel } from '../model/set-kernel.ts';
import { TablePool } from '../model/table-pool.ts';
import { WalkedPages } from '../model/walked-pages.ts';
import { changesTables } from './table-changes.ts';

/** What a still replay counts. */
export interface StillCounts {
  readonly lookups: number;
  readonly hits: number;
  readonly misses: number;
  /** Entries of page tables that walks read. */
  readonly walkReads: number;
  readonly faults: number;
  readonly commands: number;
  /** Translations that commands dropped. */
  readonly invalidated: number;
}

export interface StillReplay {
  /** Plays a segment. Throws `LIMIT` at an unmap or a leaf that is no 4 KiB page: what it is not for. */
  readonly play: (segment: Segment) => void;
  counts(): StillCounts;
}

/** Columns that it reads. */
export const STILL_COLUMNS = {
  map: ['origin', 'domain', 'iova', 'phys', 'size', 'prot'],
  unmap: ['origin', 'domain'],
  attach: ['kind', 'device', 'pasid', 'domain'],
  inv: ['dialect', 'form', 'w0', 'w1', 'w2'],
  dma: ['rid', 'pasid', 'domain', 'iova', 'outcome'],
} as const;

const { dma: DMA, inv: INV, map: MAP, unmap: UNMAP, attach: ATTACHED } = STREAM_ID;
const UNTRANSLATED = OUTCOME.bypass | OUTCOME.fault;
const NOTHING: Invalidatable = { dropAll: () => 0, dropMatching: () => 0, dropPages: () => 0 };
const FIRST_SPACE = 0x1_0000;

/**
 * A replay of mappings that stand still, for hits, misses, walks and what commands drop and nothing else: no causes, no staleness,
 * no paging-structure caches. The same counts as the machine's, several times as fast: for sweeps over geometries, and as the measure of
 * how fast a replay can be. Undefined for hardware that it is not for.
 */
export function createStillReplay(profile: HardwareProfile): StillReplay | undefined {
  const geometry = iotlbGeometry(profile);
  if (geometry === undefined || !suitsKernel(geometry)) return undefined;
  const value = (name: string): number => parameterOf(profile, name);
  if ([1, 2, 3, 4].some((level) => value(`walk-cache.l${level}`) > 0)) return undefined;
  const kernel = createSetKernel(geometry);
  const { lookup, fill } = kernel;
  const effects = EFFECTS[profile.architecture];
  const { apply, dialect } = effects;
  const format = formatsOfProfile(profile).own;
  const pool = new TablePool();
  const walked = new WalkedPages();
  const byDomain = profile.architecture === 'smmuv3' || profile.architecture === 'riscv';
  const tables = new Map<number, PageTables>();
  const requesters = new PairIndex('requesters');
  const spaces = new PairIndex('address spaces');
  const known = new Set<number>();
  let domainOf = new Int32Array(64).fill(-1);
  let spaceOf = new Int32Array(64);
  const tablesOf: (PageTables | undefined)[] = [];
  const attached = new Uint8Array(0x10000);
  const kind = new Int32Array(1);
  const configuration = new ConfigurationCaches(requesters, kind, () => domainOf, 0, 0, byDomain);
  const caches: HardwareCaches = {
    iotlb: kernel,
    walkCaches: NOTHING,
    stage2: NOTHING,
    configuration,
    deviceTlbs: new DeviceTlbs({ clock: new Float64Array(1), kind }, undefined, () => undefined),
    match: entryMatch(),
    maxMask: profile.architecture === 'vtd' ? value('command.max-mask') : 0,
    quirks: 0,
    knows: () => true,
    hasCombined: () => false,
    dropRequester: () => 0,
  };
  let lookups = 0;
  let hits = 0;
  let walkReads = 0;
  let faults = 0;
  let commands = 0;
  let invalidated = 0;

  const setDomain = (requester: number, domain: number): void => {
    domainOf[requester] = domain;
    const pasid = byDomain ? -1 : requesters.pasid[requester]!;
    // as the machine numbers them, so that a set index that uses the number is the same
    const space =
      domain === -1
        ? -1 - requester
        : pasid < 0 && domain >>> 16 === 0
          ? domain
          : FIRST_SPACE + spaces.of(domain, pasid);
    spaceOf[requester] = space;
    tablesOf[requester] = tables.get(domain);
    if (known.has(space)) return;
    known.add(space);
    kernel.addSpace(space, domain, pasid);
  };

  const requesterOf = (rid: number, pasid: number): number => {
    const count = requesters.count;
    const requester = requesters.of(rid, pasid);
    if (requester < count) return requester;
    if (requester === domainOf.length) {
      const wider = new Int32Array(requester * 2).fill(-1);
      wider.set(domainOf);
      domainOf = wider;
      const more = new Int32Array(requester * 2);
      more.set(spaceOf);
      spaceOf = more;
      configuration.grow();
    }
    setDomain(requester, -1);
    return requester;
  };

  const map = (columns: Columns<'map'>, row: number): void => {
    const domain = columns.domain[row]!;
    if (domain < 0 || !changesTables(columns.origin[row]!, domain)) return;
    let held = tables.get(domain);
    if (held === undefined) {
      held = new PageTables(pool, format);
      tables.set(domain, held);
      for (let r = 0; r < requesters.count; r++) if (domainOf[r] === domain) tablesOf[r] = held;
    }
    const iova = (columns.iovaHi[row]! >>> 0) * 0x100000 + (columns.iovaLo[row]! >>> 12);
    const phys = (columns.physHi[row]! >>> 0) * 0x100000 + (columns.physLo[row]! >>> 12);
    const bytes = (columns.sizeHi[row]! >>> 0) * 2 ** 32 + (columns.sizeLo[row]! >>> 0);
    // Page by page: larger leaves would need entries of several sizes.
    for (let page = 0; page < Math.ceil(bytes / 4096); page++)
      held.map(iova + page, phys + page, 1, columns.prot[row]!);
  };

  const attach = (columns: Columns<'attach'>, row: number): void => {
    const device = columns.device[row]!;
    const domain = columns.domain[row]!;
    const attachKind = columns.kind[row]!;
    if ((attachKind !== ATTACH.attach && attachKind !== ATTACH.tagAssign) || device === ABSENT || domain === ABSENT)
      return;
    const pasid = columns.pasid[row]! > 0 ? columns.pasid[row]! : ABSENT;
    setDomain(requesterOf(device, pasid), domain);
    if (pasid === ABSENT && device >>> 16 === 0) attached[device] = 1;
  };

  const command = (columns: Columns<'inv'>, row: number): void => {
    const form = columns.form[row]!;
    if (form === INV_FORM.doorbell || columns.dialect[row] !== dialect) return;
    const w0Lo = columns.w0Lo[row]!;
    if (form === INV_FORM.reset) {
      if (w0Lo !== RESET.queueSetup) kernel.dropAll(0);
      return;
    }
    const dropped = apply(
      caches,
      w0Lo,
      columns.w0Hi[row]!,
      columns.w1Lo[row]!,
      columns.w1Hi[row]!,
      columns.w2Lo[row]!,
      columns.w2Hi[row]!,
    );
    commands++;
    if (dropped > 0) invalidated += dropped;
  };

  const missed = (requester: number, set: number, pageLo: number, pageHi: number): void => {
    const space = spaceOf[requester]!;
    if (walked.has(space, pageLo, pageHi)) walkReads += format.levels;
    else {
      const held = tablesOf[requester];
      const level = held === undefined ? -1 : held.translate(pageLo, pageHi);
      if (held === undefined || level < 0) {
        walkReads += format.levels;
        faults++;
        return;
      }
      walkReads += held.levels - level;
      // of formats whose root may grow, the number of levels may still change
      if (level === 0 && format.maxLevels === format.levels) walked.add();
    }
    fill(set, space, pageLo, pageHi);
  };

  const row = new Int32Array(STREAM_NAMES.length);
  const play = ({ stream, count, rows, firstEvent }: Segment): void => {
    const { rid: rids, pasid: pasids, domain: domains, iovaLo, iovaHi, outcome } = rows.dma.columns;
    const { direct } = requesters;
    row.fill(0);
    let r = 0;
    let seen = 0;
    let found = 0;
    let requester = 0;
    let space = 0;
    let lastRid = -1;
    let lastPasid = 0;
    let lastDomain = 0;
    for (let i = 0; i < count; i++) {
      const id = stream[i]!;
      if (id === DMA) {
        const at = r++;
        if ((outcome[at]! & UNTRANSLATED) !== 0) continue;
        seen++;
        const rid = rids[at]!;
        const pasid = pasids[at]!;
        const domain = domains[at]!;
        // accesses of one device come in runs
        if (rid !== lastRid || pasid !== lastPasid || domain !== lastDomain) {
          const plain = pasid < 0 && rid >>> 16 === 0;
          const known = plain ? direct[rid]! : 0;
          requester = known !== 0 ? known - 1 : requesterOf(rid, pasid);
          if ((!plain || attached[rid] === 0) && domain !== ABSENT && domainOf[requester] !== domain) {
            setDomain(requester, domain);
          }
          space = spaceOf[requester]!;
          lastRid = rid;
          lastPasid = pasid;
          lastDomain = domain;
        }
        const lo = iovaLo[at]!;
        const hi = iovaHi[at]!;
        const pageLo = (lo >>> 12) | (hi << 20);
        const pageHi = hi >>> 12;
        const set = lookup(space, pageLo, pageHi);
        if (set < 0) found++;
        else missed(requester, set, pageLo, pageHi);
        continue;
      }
      lastRid = -1;
      const other = row[id]!;
      row[id] = other + 1;
      if (id === INV) command(rows.inv.columns, other);
      else if (id === MAP) map(rows.map.columns, other);
      else if (id === ATTACHED) attach(rows.attach.columns, other);
      else if (id === UNMAP && changesTables(rows.unmap.columns.origin[other]!, rows.unmap.columns.domain[other]!)) {
        throw new IorrError('LIMIT', `event ${firstEvent + i} unmaps pages: mappings have to stand still here`, {
          hint: 'iorr replay plays traces with unmaps',
        });
      }
    }
    lookups += seen;
    hits += found;
  };

  return {
    play,
    counts: () => ({ lookups, hits, misses: lookups - hits, walkReads, faults, commands, invalidated }),
  };
}
