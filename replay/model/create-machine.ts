import type { RequesterId } from '../../traces/units.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { ENTRY_KIND } from './cache-entries.ts';
import { CommandErrors } from './command-error.ts';
import { ConfigurationCaches } from './configuration-caches.ts';
import { DeviceTlbs, NO_PASID } from './device-tlbs.ts';
import { EFFECTS } from './effects.ts';
import { entryMatch } from './entry-match.ts';
import { ENDED, ExposureTotals } from './exposure.ts';
import { QUIRK } from './hardware-caches.ts';
import type { HardwareCaches, Invalidatable } from './hardware-caches.ts';
import { DROP, alignHigh, alignLow } from './iotlb.ts';
import { ACCESS_RESULT, MAP_RESULT, UNMAP_RESULT } from './machine.ts';
import type { LastAccess, Machine, MachineCounts, MachineOptions } from './machine.ts';
import { createIotlb, deviceTlbGeometry, iotlbGeometry } from './organisation.ts';
import { PageTables, TABLE_EVENT } from './page-tables.ts';
import { formatsOfProfile } from './profile-format.ts';
import { PairIndex } from './requesters.ts';
import { StaleFindings } from './stale-findings.ts';
import { TablePool } from './table-pool.ts';
import { TrackedCache } from './tracked-cache.ts';
import { WalkCaches } from './walk-caches.ts';

const TWO_32 = 2 ** 32;
const FIRST_SPACE = 0x1_0000;

const NOTHING: Invalidatable = { dropAll: () => 0, dropMatching: () => 0, dropPages: () => 0 };

/** A unit with the caches of a hardware profile, which takes the commands of the profile's architecture. */
export function createMachine(profile: HardwareProfile, options: MachineOptions = {}): Machine {
  const value = (name: string): number => parameterOf(profile, name);
  const { architecture } = profile;
  const effects = EFFECTS[architecture];
  const formats = formatsOfProfile(profile);
  const format = formats.own;
  const { shifts } = format.geometry;
  const pool = new TablePool();
  const tables = new Map<number, PageTables>();
  const requesters = new PairIndex('requesters');
  const spaces = new PairIndex('address spaces');
  const byRequester = profile.iotlb === 'qemu-vtd' || profile.iotlb === 'qemu-amd';
  // Arm and RISC-V tag by ASID and PSCID, which the domain's number is; the others by domain and PASID
  const byDomain = architecture === 'smmuv3' || architecture === 'riscv';
  const fills = options.unmappedAccess === 'fill';
  const smallOnly = profile.iotlb === 'qemu-amd';

  // words of memory: a number in a closure would be a new heap object with each change
  const clock = new Float64Array(1);
  const kind = new Int32Array(1);
  const watch = { clock, kind, onDrop: options.onDrop };
  const geometry = iotlbGeometry(profile);
  const totals = new ExposureTotals();
  const tracked = new TrackedCache('iotlb', watch, totals, geometry, (onDrop) =>
    createIotlb(profile, geometry, onDrop),
  );
  const iotlb = tracked.cache;
  const { entries, staleness, causes, shadow } = tracked;
  const walkCaches = new WalkCaches(
    format.maxLevels,
    [1, 2, 3, 4].map((level) => value(`walk-cache.l${level}`)),
    (level) => shifts[level]!,
    kind,
  );
  const plainWalks = walkCaches.none;

  // by requester number
  let domainOf = new Int32Array(64).fill(-1);
  let tagOf = new Int32Array(64);
  const tablesOf: (PageTables | undefined)[] = [];
  const configuration = new ConfigurationCaches(
    requesters,
    kind,
    () => domainOf,
    value('context.entries'),
    value('pasid.entries'),
    architecture === 'smmuv3',
  );
  let { ready } = configuration;
  const deviceTlbs = new DeviceTlbs(watch, deviceTlbGeometry(profile));
  const withDeviceTlb = deviceTlbs.count;

  const caches: HardwareCaches = {
    iotlb: tracked,
    walkCaches,
    stage2: NOTHING,
    configuration,
    deviceTlbs,
    match: entryMatch(),
    maxMask: architecture === 'vtd' ? value('command.max-mask') : 0,
    quirks:
      profile.iotlb === 'qemu-amd'
        ? QUIRK.amdWholeDomain | QUIRK.amdDeviceTlbIsIotlb
        : profile.iotlb === 'qemu-smmuv3'
          ? QUIRK.smmuLevelHint
          : 0,
    knows: (domain) => tables.has(domain) || domainOf.indexOf(domain) >= 0,
    dropRequester: (rid, pageLo, pageHi, order) => {
      let dropped = 0;
      for (let slot = 0; slot < entries.capacity; slot++) {
        if (entries.live[slot] === 0 || requesters.first[entries.tag[slot]!] !== rid) continue;
        if (order < 52 && (entries.pageLo[slot] !== pageLo || entries.pageHi[slot] !== pageHi)) continue;
        iotlb.drop(slot, DROP.command);
        dropped++;
      }
      return dropped;
    },
  };

  let lookups = 0;
  let hits = 0;
  let walks = 0;
  let walkReads = 0;
  let faults = 0;
  let unbacked = 0;
  let wasted = 0;
  let withPasid = 0;
  let overlaps = 0;
  let missing = 0;
  const errors = new CommandErrors(effects.errorName);
  const findings = new StaleFindings();
  const last: LastAccess = { slot: -1, order: 0, outLo: 0, outHi: 0, translated: false };

  const setDomain = (requester: number, domain: number): void => {
    domainOf[requester] = domain;
    const pasid = byDomain ? -1 : requesters.pasid[requester]!;
    // Without a domain the requester is its own address space, told from real ones by its sign. A domain below 2^16 is its own
    // number, which a set index that is known to use it needs.
    if (byRequester) tagOf[requester] = requester;
    else if (domain === -1) tagOf[requester] = -1 - requester;
    else tagOf[requester] = pasid < 0 && domain >>> 16 === 0 ? domain : FIRST_SPACE + spaces.of(domain, pasid);
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
        configuration.grow();
        ({ ready } = configuration);
      }
      setDomain(requester, -1);
    }
    return requester;
  };

  const tablesFor = (domain: number): PageTables => {
    let found = tables.get(domain);
    if (found === undefined) {
      found = new PageTables(pool, byDomain && isGuest(domain) ? formats.guest : format);
      tables.set(domain, found);
      for (let r = 0; r < requesters.count; r++) if (domainOf[r] === domain) tablesOf[r] = found;
    }
    return found;
  };

  const noteStale = (cache: TrackedCache, slot: number, requester: number, iovaLo: number, iovaHi: number): boolean => {
    const owner = tables.get(cache.entries.domain[slot]!);
    const pageLo = (iovaLo >>> 12) | (iovaHi << 20);
    if (owner === undefined || cache.staleness.holds(slot, owner, pageLo, iovaHi >>> 12)) return false;
    findings.add(cache, slot, clock[0]!, requesters.first[requester]!, iovaLo, iovaHi);
    return true;
  };

  const missed = (requester: number, pageLo: number, pageHi: number, access: number, pageShift: number): number => {
    const tag = tagOf[requester]!;
    const owner = domainOf[requester]!;
    const pasid = requesters.pasid[requester]!;
    const held = tablesOf[requester];
    let order = pageShift > 12 ? pageShift - 12 : 0;
    let level = -1;
    let levels = format.levels;
    let outLo = 0;
    let outHi = 0;
    let fault = false;
    walks++;
    if (held !== undefined) {
      levels = held.levels;
      level = held.translate(pageLo, pageHi);
      if (level >= 0) {
        // bits 1 and 2 of an access are read and write; one of unknown kind has none
        const refused = (access & 3 & ~held.permission()) !== 0;
        fault = refused && !fills;
        order = held.leafShift - 12;
        ({ outLo, outHi } = held);
        last.order = order;
        if (smallOnly) order = 0;
        else if (order !== 0) {
          outLo = alignLow(outLo, order);
          outHi = alignHigh(outHi, order);
        }
      } else if (fills) unbacked++;
      else fault = true;
    }
    const translated = level >= 0;
    if (!translated) {
      level = 0;
      while (level + 1 < levels && shifts[level + 1]! <= order) level++;
    }
    const reads = plainWalks ? levels - level : walkCaches.walk(tag, owner, pasid, level, pageLo, pageHi, levels);
    walkReads += reads;
    const alignedLo = order === 0 ? pageLo : alignLow(pageLo, order);
    const alignedHi = order === 0 ? pageHi : alignHigh(pageHi, order);
    if (fault) {
      causes.missed(tag, order, alignedLo, alignedHi);
      faults++;
      last.slot = -1;
      last.translated = false;
      return ACCESS_RESULT.fault;
    }
    const slot = tracked.fill(tag, owner, pasid, order, alignedLo, alignedHi, outLo, outHi);
    if (byDomain && isGuest(owner) && slot >= 0) entries.setKind(slot, ENTRY_KIND.stage2);
    last.slot = slot;
    if (!translated) last.order = order;
    last.outLo = outLo;
    last.outHi = outHi;
    last.translated = translated;
    return (iotlb.wasReset ? ACCESS_RESULT.reset : 0) | (owner === -1 ? ACCESS_RESULT.unknownDomain : 0);
  };

  /** A request that reached the unit, by a requester of the index. */
  const translate = (requester: number, iovaLo: number, iovaHi: number, access: number, pageShift: number): number => {
    lookups++;
    if (ready[requester] === 0) configuration.use(requester);
    const tag = tagOf[requester]!;
    const pageLo = (iovaLo >>> 12) | (iovaHi << 20);
    const pageHi = iovaHi >>> 12;
    const found = iotlb.lookup(tag, pageLo, pageHi);
    if (found < 0) return missed(requester, pageLo, pageHi, access, pageShift);
    hits++;
    if (shadow !== undefined) tracked.touchShadow(found);
    last.slot = found;
    if (entries.suspect[found] !== 0 && noteStale(tracked, found, requester, iovaLo, iovaHi)) {
      return ACCESS_RESULT.hit | ACCESS_RESULT.stale;
    }
    return ACCESS_RESULT.hit;
  };

  /** A request of a device that has a cache of its own: only what it lacks is asked of the unit. */
  const translateByDevice = (
    device: TrackedCache,
    requester: number,
    iovaLo: number,
    iovaHi: number,
    access: number,
    pageShift: number,
  ): number => {
    const pasid = requesters.pasid[requester]!;
    const pageLo = (iovaLo >>> 12) | (iovaHi << 20);
    const pageHi = iovaHi >>> 12;
    const found = device.lookup(pasid, pageLo, pageHi);
    if (found >= 0) {
      last.slot = -1;
      const isStale = device.entries.suspect[found] !== 0 && noteStale(device, found, requester, iovaLo, iovaHi);
      return ACCESS_RESULT.hit | ACCESS_RESULT.device | (isStale ? ACCESS_RESULT.stale : 0);
    }
    const result = translate(requester, iovaLo, iovaHi, access, pageShift);
    if ((result & ACCESS_RESULT.fault) !== 0) return result;
    const { slot } = last;
    const order = slot < 0 ? last.order : entries.order[slot]!;
    const outLo = slot < 0 ? last.outLo : entries.outLo[slot]!;
    const outHi = slot < 0 ? last.outHi : entries.outHi[slot]!;
    const owner = domainOf[requester]!;
    const own = pasid < 0 ? NO_PASID : pasid;
    device.fill(pasid, owner, own, order, alignLow(pageLo, order), alignHigh(pageHi, order), outLo, outHi);
    return result;
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
    const known = pasid < 0 && rid >>> 16 === 0 ? requesters.direct[rid]! : 0;
    const requester = known !== 0 ? known - 1 : requesterOf(rid, pasid);
    if (domain !== -1 && domainOf[requester] !== domain) setDomain(requester, domain);
    if (pasid >= 0) withPasid++;
    if (withDeviceTlb[0] !== 0) {
      const device = deviceTlbs.of(rid);
      if (device !== undefined) return translateByDevice(device, requester, iovaLo, iovaHi, access, pageShift);
    }
    return translate(requester, iovaLo, iovaHi, access, pageShift);
  };

  const commandNow = (w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number, w2Lo = 0, w2Hi = 0): number => {
    kind[0] = effects.kind(w0Lo, w0Hi);
    const count = effects.apply(caches, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi);
    if (count < 0) {
      errors.add(count);
      return -1;
    }
    if (count === 0 && effects.dropsTranslations(w0Lo, w0Hi)) wasted++;
    return count;
  };

  const machine: Machine = {
    dialect: effects.dialect,
    last,

    enableDeviceTlb(rid) {
      deviceTlbs.enable(rid);
    },

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
      if (withDeviceTlb[0] !== 0) deviceTlbs.mapped(domain, page, count, held, clock[0]!);
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
      totals.unmappedPages += count;
      staleness.unmapped(domain, page, count, clock[0]!, event);
      if (withDeviceTlb[0] !== 0) deviceTlbs.unmapped(domain, page, count, clock[0]!, event);
      if (events === 0) return 0;
      if ((events & TABLE_EVENT.missing) !== 0) missing++;
      return (
        ((events & TABLE_EVENT.freedTable) !== 0 ? UNMAP_RESULT.freedTable : 0) |
        ((events & TABLE_EVENT.missing) !== 0 ? UNMAP_RESULT.missing : 0) |
        ((events & TABLE_EVENT.split) !== 0 ? UNMAP_RESULT.split : 0)
      );
    },

    command(time, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo = 0, w2Hi = 0) {
      if (time > clock[0]!) clock[0] = time;
      return commandNow(w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi);
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
      kind[0] = 0;
      tracked.dropAll(DROP.reset);
      walkCaches.dropAll(DROP.reset);
      configuration.dropAll();
    },

    translate(domain, iovaLo, iovaHi) {
      const held = tables.get(domain);
      if (held === undefined) return -2;
      return held.translate((iovaLo >>> 12) | (iovaHi << 20), iovaHi >>> 12);
    },

    finish(time): MachineCounts {
      if (time > clock[0]!) clock[0] = time;
      for (const one of [tracked, ...deviceTlbs.caches]) one.staleness.close(clock[0]!, ENDED.open);
      tracked.lookups = lookups;
      tracked.hits = hits;
      const counts = tracked.report(effects.kindName);
      const atc = deviceTlbs.report(effects.kindName);
      const { context, pasid } = configuration.report(lookups, withPasid, effects.kindName);
      return {
        iotlb: { lookups, hits, misses: counts.misses, causes: counts.causes },
        caches: {
          iotlb: counts,
          ...walkCaches.report(effects.kindName),
          context,
          ...(pasid.lookups > 0 ? { pasid } : {}),
          ...(atc === undefined ? {} : { atc }),
        },
        walks,
        walkReads,
        faults,
        exposure: totals.report(),
        deviceExposure: withDeviceTlb[0]! > 0 ? deviceTlbs.totals.report() : undefined,
        stale: findings.report(),
        staleFindings: findings.list,
        wasted,
        malformed: errors.total,
        errors: errors.report(),
        overlaps,
        missing,
        unbacked,
        historyFull: causes.full,
      };
    },

    takePeakExposed() {
      const { peak } = totals;
      totals.peak = totals.now;
      return peak;
    },
    get exposedPages() {
      return totals.now;
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

/** Domain numbers of Arm and RISC-V without ASID or PSCID are of a second stage alone. */
function isGuest(domain: number): boolean {
  return (domain & 0xffff) === 0 && domain !== 0;
}
