import type { RequesterId } from '../../traces/units.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { ContextCache } from './context-cache.ts';
import { ENDED } from './exposure.ts';
import { vtdSecondStage } from './formats/vtd-second-stage.ts';
import { DROP } from './iotlb.ts';
import type { Iotlb } from './iotlb.ts';
import { ACCESS_RESULT, MAP_RESULT, UNMAP_RESULT } from './machine.ts';
import type { LastAccess, Machine, MachineCounts, MachineOptions, StaleFinding } from './machine.ts';
import { MissHistory, SEEN } from './miss-history.ts';
import { PageTables, TABLE_EVENT } from './page-tables.ts';
import { QemuVtdIotlb } from './qemu-vtd-iotlb.ts';
import { PairIndex } from './requesters.ts';
import { SetAssociativeIotlb } from './set-associative-iotlb.ts';
import { Staleness } from './staleness.ts';
import { TablePool } from './table-pool.ts';
import { MALFORMED, applyVtd, dropsTranslations } from './vtd-effects.ts';
import type { Invalidatable, VtdCaches } from './vtd-effects.ts';
import { WalkCaches } from './walk-caches.ts';

const FINDINGS = 100;
const TWO_32 = 2 ** 32;
/** Leaf level of a page shift: 12, 21, 30. */
const levelOf = (shift: number): number => (shift >= 30 ? 2 : shift >= 21 ? 1 : 0);

/** A VT-d unit with the caches of a hardware profile. */
export function createMachine(profile: HardwareProfile, options: MachineOptions = {}): Machine {
  const value = (name: string): number => parameterOf(profile, name);
  const levels = value('page-table.levels');
  const format = vtdSecondStage(levels, value('page-table.leafs'));
  const pool = new TablePool();
  const tables = new Map<number, PageTables>();
  const requesters = new PairIndex('requesters');
  const spaces = new PairIndex('address spaces');
  const contexts = new ContextCache(requesters);
  const history = new MissHistory();
  const byRequester = profile.iotlb === 'qemu-vtd';
  const onDrop = options.onDrop;

  // one word of memory: a number in a closure would be a new heap object with each change
  const clock = new Float64Array(1);
  const dropped = (slot: number, why: number): void => {
    const { entries } = iotlb;
    const record = entries.record[slot]!;
    if (record >= 0)
      history.state[record] = why === DROP.command || why === DROP.reset ? SEEN.invalidated : SEEN.evicted;
    if (entries.suspect[slot] !== 0) staleness.dropped(slot, why, clock[0]!);
    if (onDrop !== undefined) onDrop(slot);
  };
  const iotlb: Iotlb = byRequester
    ? new QemuVtdIotlb(value('iotlb.capacity'), value('iotlb.mask-bits'), dropped)
    : new SetAssociativeIotlb(
        {
          sets: value('iotlb.sets'),
          ways: value('iotlb.ways'),
          hashed: value('iotlb.hashed') !== 0,
          refillInvalidFirst: value('iotlb.refill-invalid-first') !== 0,
        },
        dropped,
      );
  const { entries } = iotlb;
  const staleness = new Staleness(entries);
  const { ledger } = staleness;
  const walkCaches = new WalkCaches(
    levels,
    [1, 2, 3, 4].map((level) => value(`walk-cache.l${level}`)),
  );
  const plainWalks = walkCaches.none;
  // the same capacity without sets: a miss that it would have had too is one of capacity, not of conflict
  const shadow =
    byRequester || value('iotlb.sets') === 1
      ? undefined
      : new SetAssociativeIotlb(
          { sets: 1, ways: entries.capacity, hashed: false, refillInvalidFirst: true },
          () => undefined,
        );

  // by requester number
  let domainOf = new Int32Array(64).fill(-1);
  let tagOf = new Int32Array(64);
  const tablesOf: (PageTables | undefined)[] = [];

  const translations: Invalidatable =
    shadow === undefined
      ? iotlb
      : {
          dropAll: (why) => (shadow.dropAll(why), iotlb.dropAll(why)),
          dropDomain: (domain, pasid, why) => (
            shadow.dropDomain(domain, pasid, why), iotlb.dropDomain(domain, pasid, why)
          ),
          dropPages: (domain, pasid, pageLo, pageHi, order, why) => (
            shadow.dropPages(domain, pasid, pageLo, pageHi, order, why),
            iotlb.dropPages(domain, pasid, pageLo, pageHi, order, why)
          ),
        };
  const caches: VtdCaches = {
    iotlb: translations,
    walkCaches,
    contexts,
    domains: () => domainOf,
    maxMask: value('command.max-mask'),
  };

  let lookups = 0;
  let hits = 0;
  let compulsory = 0;
  let capacity = 0;
  let conflict = 0;
  let invalidation = 0;
  let walks = 0;
  let walkReads = 0;
  let faults = 0;
  let unbacked = 0;
  let stale = 0;
  let maxAge = 0;
  let wasted = 0;
  let malformed = 0;
  let overlaps = 0;
  let missing = 0;
  const findings: StaleFinding[] = [];
  const last: LastAccess = { slot: -1, level: 0, outLo: 0, outHi: 0, translated: false };

  const setDomain = (requester: number, domain: number): void => {
    domainOf[requester] = domain;
    const pasid = requesters.pasid[requester]!;
    // without a domain the requester is its own address space, told from real ones by its sign
    tagOf[requester] = byRequester ? requester : domain < 0 ? -1 - requester : spaces.of(domain, pasid);
    tablesOf[requester] = tables.get(domain);
  };

  const requesterOf = (rid: RequesterId, pasid: number): number => {
    const known = requesters.count;
    const requester = requesters.of(rid, pasid);
    if (requester === known) {
      if (requester === domainOf.length) {
        const wider = new Int32Array(requester * 2).fill(-1);
        wider.set(domainOf);
        domainOf = wider;
        const tags = new Int32Array(requester * 2);
        tags.set(tagOf);
        tagOf = tags;
        contexts.grow();
      }
      setDomain(requester, -1);
    }
    return requester;
  };

  const tablesFor = (domain: number): PageTables => {
    let found = tables.get(domain);
    if (found === undefined) {
      found = new PageTables(pool, format);
      tables.set(domain, found);
      for (let r = 0; r < requesters.count; r++) if (domainOf[r] === domain) tablesOf[r] = found;
    }
    return found;
  };

  const noteStale = (slot: number, requester: number, iovaLo: number, iovaHi: number): boolean => {
    const time = clock[0]!;
    const owner = tables.get(entries.domain[slot]!);
    if (owner === undefined || staleness.holds(slot, owner, (iovaLo >>> 12) | (iovaHi << 20), iovaHi >>> 12))
      return false;
    const ageNs = Math.max(0, time - ledger.suspectSince[slot]!);
    stale++;
    if (ageNs > maxAge) maxAge = ageNs;
    if (findings.length < FINDINGS) {
      const rid = requesters.first[requester]!;
      const unmapEvent = ledger.suspectEvent[slot]!;
      findings.push({ time, rid, domain: entries.domain[slot]!, iovaLo: iovaLo & -0x1000, iovaHi, ageNs, unmapEvent });
    }
    return true;
  };

  const accessNow = (
    rid: number,
    pasid: number,
    domain: number,
    iovaLo: number,
    iovaHi: number,
    access: number,
    pageShift: number,
  ): number => {
    lookups++;
    const direct = pasid < 0 && rid >>> 16 === 0 ? requesters.direct[rid]! : 0;
    const requester = direct !== 0 ? direct - 1 : requesterOf(rid, pasid);
    if (domain >= 0 && domainOf[requester] !== domain) setDomain(requester, domain);
    const tag = tagOf[requester]!;
    const pageLo = (iovaLo >>> 12) | (iovaHi << 20);
    const pageHi = iovaHi >>> 12;
    const found = iotlb.lookup(tag, pageLo, pageHi);
    if (found >= 0) {
      hits++;
      if (shadow !== undefined) shadow.lookup(tag, pageLo, pageHi);
      last.slot = found;
      if (entries.suspect[found] !== 0 && noteStale(found, requester, iovaLo, iovaHi)) {
        return ACCESS_RESULT.hit | ACCESS_RESULT.stale;
      }
      return ACCESS_RESULT.hit;
    }
    const owner = domainOf[requester]!;
    const held = tablesOf[requester];
    let level = levelOf(pageShift);
    let outLo = 0;
    let outHi = 0;
    let translated = false;
    let fault = false;
    walks++;
    contexts.cached[requester] = 1;
    if (held !== undefined) {
      const leaf = held.translate(pageLo, pageHi);
      if (leaf >= 0) {
        const lacksRead = (access & 1) !== 0 && (held.leafBits & format.readBit) === 0;
        const lacksWrite = (access & 2) !== 0 && (held.leafBits & format.writeBit) === 0;
        fault = (lacksRead || lacksWrite) && options.unmappedAccess !== 'fill';
        level = leaf;
        const inside = 512 ** leaf - 1;
        outLo = held.outLo & ~inside;
        outHi = held.outHi;
        translated = true;
      } else if (options.unmappedAccess === 'fill') unbacked++;
      else fault = true;
    }
    walkReads += plainWalks ? levels - level : walkCaches.walk(tag, owner, pasid, level, pageLo, pageHi);
    const alignedLo = pageLo & -(512 ** level);
    const record = history.record(tag, level, alignedLo, pageHi);
    const seen = record < 0 ? SEEN.never : history.state[record]!;
    if (seen === SEEN.never) compulsory++;
    else if (seen === SEEN.invalidated) invalidation++;
    else if (shadow !== undefined && shadow.lookup(tag, pageLo, pageHi) >= 0) conflict++;
    else capacity++;
    if (fault) {
      faults++;
      last.slot = -1;
      last.translated = false;
      return ACCESS_RESULT.fault;
    }
    const slot = iotlb.insert(tag, owner, pasid, level, pageLo, pageHi, outLo, outHi);
    if (record >= 0) {
      entries.record[slot] = record;
      history.state[record] = SEEN.evicted;
    }
    if (shadow !== undefined && shadow.lookup(tag, pageLo, pageHi) < 0) {
      shadow.insert(tag, owner, pasid, level, pageLo, pageHi, 0, 0);
    }
    last.slot = slot;
    last.level = level;
    last.outLo = outLo;
    last.outHi = outHi;
    last.translated = translated;
    return (iotlb.wasReset ? ACCESS_RESULT.reset : 0) | (owner < 0 ? ACCESS_RESULT.unknownDomain : 0);
  };

  const commandNow = (w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number): number => {
    const count = applyVtd(caches, w0Lo, w0Hi, w1Lo, w1Hi);
    if (count === MALFORMED) malformed++;
    else if (count === 0 && dropsTranslations(w0Lo)) wasted++;
    return count;
  };

  const machine: Machine = {
    last,

    attach(rid, pasid, domain) {
      const requester = requesterOf(rid, pasid);
      if (domainOf[requester] !== domain) setDomain(requester, domain);
    },

    domainOf(rid, pasid) {
      return domainOf[requesterOf(rid, pasid)]!;
    },

    map(time, domain, iovaLo, iovaHi, physLo, physHi, sizeLo, sizeHi, prot) {
      if (time > clock[0]!) clock[0] = time;
      const page = (iovaHi >>> 0) * 0x100000 + (iovaLo >>> 12);
      const count = pagesOf(iovaLo, sizeLo, sizeHi);
      const held = tablesFor(domain);
      const events = held.map(page, (physHi >>> 0) * 0x100000 + (physLo >>> 12), count, prot);
      staleness.mapped(domain, page, count, held, clock[0]!);
      if (events === 0) return 0;
      if ((events & TABLE_EVENT.overlap) !== 0) overlaps++;
      return (
        ((events & TABLE_EVENT.overlap) !== 0 ? MAP_RESULT.overlap : 0) |
        ((events & TABLE_EVENT.freedTable) !== 0 ? MAP_RESULT.freedTable : 0)
      );
    },

    unmap(time, domain, iovaLo, iovaHi, sizeLo, sizeHi, event) {
      if (time > clock[0]!) clock[0] = time;
      const page = (iovaHi >>> 0) * 0x100000 + (iovaLo >>> 12);
      const count = pagesOf(iovaLo, sizeLo, sizeHi);
      const events = tablesFor(domain).unmap(page, count);
      staleness.unmapped(domain, page, count, clock[0]!, event);
      if (events === 0) return 0;
      if ((events & TABLE_EVENT.missing) !== 0) missing++;
      return (
        ((events & TABLE_EVENT.freedTable) !== 0 ? UNMAP_RESULT.freedTable : 0) |
        ((events & TABLE_EVENT.missing) !== 0 ? UNMAP_RESULT.missing : 0) |
        ((events & TABLE_EVENT.split) !== 0 ? UNMAP_RESULT.split : 0)
      );
    },

    command(time, w0Lo, w0Hi, w1Lo, w1Hi) {
      if (time > clock[0]!) clock[0] = time;
      return commandNow(w0Lo, w0Hi, w1Lo, w1Hi);
    },
    commandNow,

    clock,
    access(time, rid, pasid, domain, iovaLo, iovaHi, access, pageShift) {
      if (time > clock[0]!) clock[0] = time;
      return accessNow(rid, pasid, domain, iovaLo, iovaHi, access, pageShift);
    },
    accessNow,

    reset(time) {
      if (time > clock[0]!) clock[0] = time;
      translations.dropAll(DROP.reset);
      walkCaches.dropAll(DROP.reset);
      contexts.dropAll();
    },

    translate(domain, iovaLo, iovaHi) {
      const held = tables.get(domain);
      if (held === undefined) return -2;
      return held.translate((iovaLo >>> 12) | (iovaHi << 20), iovaHi >>> 12);
    },

    finish(time): MachineCounts {
      if (time > clock[0]!) clock[0] = time;
      staleness.close(clock[0]!, ENDED.open);
      return {
        iotlb: { lookups, hits, misses: lookups - hits, causes: { compulsory, capacity, conflict, invalidation } },
        walks,
        walkReads,
        faults,
        exposure: ledger.report(),
        stale: { translations: stale, maxAgeNs: maxAge },
        staleFindings: findings,
        wasted,
        malformed,
        overlaps,
        missing,
        unbacked,
        historyFull: history.full,
      };
    },

    takePeakExposed() {
      const { peak } = ledger;
      ledger.peak = ledger.now;
      return peak;
    },
    get exposedPages() {
      return ledger.now;
    },
    get lookups() {
      return lookups;
    },
    get hits() {
      return hits;
    },
    entries,
  };
  return machine;
}

/** 4 KiB pages that a range touches. */
function pagesOf(iovaLo: number, sizeLo: number, sizeHi: number): number {
  const bytes = (sizeHi >>> 0) * TWO_32 + (sizeLo >>> 0) + (iovaLo & 0xfff);
  return Math.ceil(bytes / 4096);
}
