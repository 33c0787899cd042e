import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { AddressSpaces } from './address-spaces.ts';
import { ENTRY_KIND } from './cache-entries.ts';
import { CommandErrors } from './command-error.ts';
import { ConfigurationCaches } from './configuration-caches.ts';
import { DeviceTlbs, NO_PASID } from './device-tlbs.ts';
import { EFFECTS } from './effects.ts';
import { dropExact, entryMatch } from './entry-match.ts';
import { ENDED, ExposureTotals } from './exposure.ts';
import { QUIRK } from './hardware-caches.ts';
import type { HardwareCaches } from './hardware-caches.ts';
import { DROP, alignHigh, alignLow } from './iotlb.ts';
import { ACCESS_RESULT, MAP_RESULT, UNMAP_RESULT } from './machine.ts';
import type { LastAccess, Machine, MachineCounts, MachineOptions } from './machine.ts';
import { GuestPages, Nested } from './nested.ts';
import { createIotlb, deviceTlbGeometry, iotlbGeometry } from './organisation.ts';
import { pagesTouched } from './page-bits.ts';
import { TABLE_EVENT } from './page-tables.ts';
import type { PageTables } from './page-tables.ts';
import { StaleFindings } from './stale-findings.ts';
import { TrackedCache } from './tracked-cache.ts';
import { WalkCaches } from './walk-caches.ts';

/** A unit with the caches of a hardware profile, which takes the commands of the profile's architecture. */
export function createMachine(profile: HardwareProfile, options: MachineOptions = {}): Machine {
  const value = (name: string): number => parameterOf(profile, name);
  const { architecture } = profile;
  const effects = EFFECTS[architecture];
  const { apply, kind: kindOf, dropsTranslations } = effects;
  const spaces = new AddressSpaces(profile, () => {
    ({ domainOf, tagOf } = spaces);
    configuration.grow();
    ({ ready } = configuration);
  });
  const { requesters, tables, tablesOf, guests } = spaces;
  let { domainOf, tagOf } = spaces;
  const format = spaces.formats.own;
  const { shifts } = format.geometry;
  const fills = options.unmappedAccess === 'fill';
  const smallOnly = profile.iotlb === 'qemu-amd';

  // words of memory: a number in a closure would be a new heap object with each change
  const clock = new Float64Array(1);
  const kind = new Int32Array(1);
  const watch = { clock, kind, onDrop: options.onDrop };
  const geometry = iotlbGeometry(profile);
  const totals = options.exposure ?? new ExposureTotals();
  const { only } = options;
  // what a fully associative cache would hold can't be told from a part of the accesses
  const tracked = new TrackedCache('iotlb', watch, totals, only === undefined ? geometry : undefined, (onDrop) =>
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
  const plainWalks = walkCaches.none || only !== undefined;
  const nested = new Nested(watch, totals, walkCaches, value('walk-cache.stage2'));
  const { parents } = nested;
  let nests = false;
  const guestPages = new GuestPages(entries.capacity);

  const configuration = new ConfigurationCaches(
    requesters,
    kind,
    () => domainOf,
    value('context.entries'),
    value('pasid.entries'),
    architecture === 'smmuv3',
  );
  let { ready } = configuration;
  const deviceTlbs = new DeviceTlbs(watch, deviceTlbGeometry(profile), (rid) => configuration.unsettle(rid));
  const withDeviceTlb = deviceTlbs.count;

  const caches: HardwareCaches = {
    iotlb: tracked,
    walkCaches,
    stage2: nested,
    configuration,
    deviceTlbs,
    match: entryMatch(),
    maxMask: architecture === 'vtd' ? value('command.max-mask') : 0,
    quirks: smallOnly ? QUIRK.amdWholeDomain | QUIRK.amdDeviceTlbIsIotlb : 0,
    dropExact:
      profile.iotlb === 'qemu-smmuv3'
        ? (domain, order, pageLo, pageHi) => dropExact(iotlb, domain, order, pageLo, pageHi)
        : undefined,
    hasCombined: () => nests,
    knows: (domain) => spaces.knows(domain),
    dropRequester: (rid, pageLo, pageHi, order) => {
      let dropped = 0;
      for (let slot = 0; slot < entries.capacity; slot++) {
        if (entries.live[slot] === 0 || requesters.first[entries.tagOf(slot)] !== rid) continue;
        if (order < 52 && (entries.pageLoOf(slot) !== pageLo || entries.pageHiOf(slot) !== pageHi)) continue;
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
  const last: LastAccess = { slot: -1, record: -1, order: 0, outLo: 0, outHi: 0, translated: false };

  const noteStale = (cache: TrackedCache, slot: number, requester: number, iovaLo: number, iovaHi: number): boolean => {
    const domain = cache.entries.domainOf(slot);
    const owner = tables.get(domain);
    const pageLo = (iovaLo >>> 12) | (iovaHi << 20);
    const stage2 = !nests ? undefined : tables.get(parents.get(domain) ?? -1);
    if (owner === undefined) return false;
    if (stage2 === undefined) {
      if (cache.staleness.holds(slot, owner, pageLo, iovaHi >>> 12)) return false;
    } else if (nested.translate(owner, stage2, pageLo, iovaHi >>> 12)) {
      if (cache.staleness.leadsTo(slot, pageLo, iovaHi >>> 12, nested.outLo, nested.outHi)) return false;
    }
    if (cache === tracked || options.silentDevices !== true)
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
      if (nests) {
        const parent = parents.get(owner);
        const stage2 = parent === undefined ? undefined : tables.get(parent);
        if (parent !== undefined && stage2 !== undefined) {
          return missedNested(requester, held, parent, stage2, pageLo, pageHi, access);
        }
      }
      levels = held.levels;
      level = held.translate(pageLo, pageHi);
      if (level >= 0) {
        // bits 1 and 2 of an access are read and write; one of unknown kind has none
        fault = !fills && (access & 3 & ~held.permission()) !== 0;
        order = held.leafShift - 12;
        outLo = held.outLo;
        outHi = held.outHi;
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
    walkReads += plainWalks ? levels - level : walkCaches.walk(tag, owner, pasid, level, pageLo, pageHi, levels);
    if (!translated) last.order = order;
    if (fault) return refuse(tag, order, pageLo, pageHi);
    return fill(requester, order, pageLo, pageHi, outLo, outHi, translated);
  };

  /** An access faults: its cause as a miss is counted, nothing is cached. */
  const refuse = (tag: number, order: number, pageLo: number, pageHi: number): number => {
    last.record = causes.missed(tag, order, alignLow(pageLo, order), alignHigh(pageHi, order));
    faults++;
    last.slot = -1;
    last.translated = false;
    return ACCESS_RESULT.fault;
  };

  /** Caches the translation of a page; the output is that of the entry's first page. */
  const fill = (
    requester: number,
    order: number,
    pageLo: number,
    pageHi: number,
    outLo: number,
    outHi: number,
    translated: boolean,
  ): number => {
    const owner = domainOf[requester]!;
    const lo = order === 0 ? pageLo : alignLow(pageLo, order);
    const hi = order === 0 ? pageHi : alignHigh(pageHi, order);
    const tag = tagOf[requester]!;
    const record = causes.missed(tag, order, lo, hi);
    const slot = iotlb.insert(tag, owner, requesters.pasid[requester]!, order, lo, hi, outLo, outHi);
    causes.filled(slot, record);
    last.record = record;
    if (shadow !== undefined) tracked.fillShadow(slot, tag, lo, hi);
    if (guests && slot >= 0 && spaces.isGuest(owner)) entries.setKind(slot, ENTRY_KIND.stage2);
    last.slot = slot;
    last.outLo = outLo;
    last.outHi = outHi;
    last.translated = translated;
    return (iotlb.wasReset ? ACCESS_RESULT.reset : 0) | (owner === -1 ? ACCESS_RESULT.unknownDomain : 0);
  };

  /** A miss of a requester whose tables are read through those of a second stage. */
  const missedNested = (
    requester: number,
    stage1: PageTables,
    parent: number,
    stage2: PageTables,
    pageLo: number,
    pageHi: number,
    access: number,
  ): number => {
    const tag = tagOf[requester]!;
    const owner = domainOf[requester]!;
    // Arm and RISC-V name second-stage translations by the guest, the others by the first stage's domain
    const guest = guests ? parent : owner;
    const guestTag = spaces.guestTag(guest);
    const pasid = requesters.pasid[requester]!;
    const mapped = nested.walk(stage1, stage2, tag, owner, pasid, guestTag, guest, pageLo, pageHi);
    walkReads += nested.reads;
    const { order } = nested;
    last.order = mapped ? order : 0;
    if (!mapped || (access & 3 & ~nested.permission) !== 0) return refuse(tag, last.order, pageLo, pageHi);
    const outLo = alignLow(nested.outLo, order);
    const result = fill(requester, order, pageLo, pageHi, outLo, alignHigh(nested.outHi, order), true);
    if (last.slot >= 0) {
      entries.setKind(last.slot, ENTRY_KIND.combined);
      guestPages.set(last.slot, alignLow(nested.guestLo, order), alignHigh(nested.guestHi, order));
    }
    return result;
  };

  /** A request that reached the unit, by a requester of the index. */
  const translate = (requester: number, iovaLo: number, iovaHi: number, access: number, pageShift: number): number => {
    const tag = tagOf[requester]!;
    const pageLo = (iovaLo >>> 12) | (iovaHi << 20);
    const pageHi = iovaHi >>> 12;
    if (only !== undefined && !only(tag, pageLo, pageHi)) return ACCESS_RESULT.elsewhere;
    lookups++;
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
    configuration.use(requester);
    const result = translate(requester, iovaLo, iovaHi, access, pageShift);
    if ((result & ACCESS_RESULT.fault) !== 0) return result;
    const slot = (result & ACCESS_RESULT.elsewhere) !== 0 ? -1 : last.slot;
    const tables = only === undefined ? undefined : tablesOf[requester];
    const mapped = tables !== undefined && tables.translate(pageLo, pageHi) >= 0;
    // with `only` what the tables say is what others suppose
    const order = slot >= 0 ? entries.orderOf(slot) : only === undefined ? last.order : 0;
    const supposedLo = mapped ? tables.outLo : 0;
    const supposedHi = mapped ? tables.outHi : 0;
    const outLo = slot >= 0 ? entries.outLoOf(slot) : only === undefined ? last.outLo : supposedLo;
    const outHi = slot >= 0 ? entries.outHiOf(slot) : only === undefined ? last.outHi : supposedHi;
    const owner = domainOf[requester]!;
    const own = pasid < 0 ? NO_PASID : pasid;
    device.fill(pasid, owner, own, order, alignLow(pageLo, order), alignHigh(pageHi, order), outLo, outHi);
    if (only === undefined || (outLo === supposedLo && outHi === supposedHi)) return result;
    return result | ACCESS_RESULT.unlike;
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
    if (domain !== -1 && domainOf[requester] !== domain) spaces.attach(requester, domain);
    if (ready[requester] !== 0) return translate(requester, iovaLo, iovaHi, access, pageShift);
    const device = deviceTlbs.of(rid);
    if (device !== undefined) return translateByDevice(device, requester, iovaLo, iovaHi, access, pageShift);
    configuration.use(requester);
    configuration.settle(requester);
    return translate(requester, iovaLo, iovaHi, access, pageShift);
  };

  const requesterOf = (rid: number, pasid: number): number => {
    if (pasid >= 0) withPasid++;
    return spaces.of(rid, pasid);
  };

  const commandNow = (w0Lo: number, w0Hi: number, w1Lo: number, w1Hi: number, w2Lo = 0, w2Hi = 0): number => {
    kind[0] = kindOf(w0Lo, w0Hi);
    const count = apply(caches, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi);
    if (count < 0) {
      errors.add(count);
      return -1;
    }
    if (count === 0 && dropsTranslations(w0Lo, w0Hi)) wasted++;
    return count;
  };

  const machine: Machine = {
    dialect: effects.dialect,
    last,

    nest(domain, parent) {
      spaces.tablesFor(domain);
      spaces.tablesFor(parent);
      parents.set(domain, parent);
      nests = true;
    },

    enableDeviceTlb(rid) {
      deviceTlbs.enable(rid);
    },

    attach(rid, pasid, domain) {
      const requester = spaces.of(rid, pasid);
      if (domainOf[requester] !== domain) spaces.attach(requester, domain);
    },

    domainOf(rid, pasid) {
      return domainOf[spaces.of(rid, pasid)]!;
    },

    map(time, domain, iovaLo, iovaHi, physLo, physHi, sizeLo, sizeHi, prot) {
      if (time > clock[0]!) clock[0] = time;
      const page = (iovaHi >>> 0) * 0x100000 + (iovaLo >>> 12);
      const count = pagesTouched(iovaLo, sizeLo, sizeHi);
      const held = spaces.tablesFor(domain);
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
      const count = pagesTouched(iovaLo, sizeLo, sizeHi);
      const events = spaces.tablesFor(domain).unmap(page, count);
      totals.unmappedPages += count;
      staleness.unmapped(domain, page, count, clock[0]!, event);
      if (nests) guestPages.unmapped(tracked, parents, domain, page, count, clock[0]!, event);
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
      nested.dropAll(DROP.reset);
      configuration.dropAll();
    },

    entryOrder(rid, pasid, iovaLo, iovaHi, pageShift) {
      const requester = spaces.of(rid, pasid);
      const pageLo = (iovaLo >>> 12) | (iovaHi << 20);
      const held = tablesOf[requester];
      const assumed = pageShift > 12 ? pageShift - 12 : 0;
      if (held === undefined) return assumed;
      const parent = nests ? parents.get(domainOf[requester]!) : undefined;
      const stage2 = parent === undefined ? undefined : tables.get(parent);
      if (stage2 !== undefined) return nested.orderOf(held, stage2, pageLo, iovaHi >>> 12);
      if (held.translate(pageLo, iovaHi >>> 12) < 0) return assumed;
      return smallOnly ? 0 : held.leafShift - 12;
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
          ...nested.report(effects.kindName),
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
    get walkReads() {
      return walkReads;
    },
    entries,
    causes,
  };
  return machine;
}
