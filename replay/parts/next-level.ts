import type { HardwareProfile } from '../hardware/profile.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { Played } from '../engine/replay.ts';
import { AddressSpaces } from '../model/address-spaces.ts';
import { CommandErrors } from '../model/command-error.ts';
import { ConfigurationCaches } from '../model/configuration-caches.ts';
import { DeviceTlbs } from '../model/device-tlbs.ts';
import { EFFECTS } from '../model/effects.ts';
import { entryMatch } from '../model/entry-match.ts';
import type { HardwareCaches, Invalidatable } from '../model/hardware-caches.ts';
import { DROP } from '../model/iotlb.ts';
import { deviceTlbGeometry, iotlbGeometry } from '../model/organisation.ts';
import { SetAssociativeIotlb, withoutSets } from '../model/set-associative-iotlb.ts';
import { WalkCaches } from '../model/walk-caches.ts';
import type { CacheCounts, CommandErrorCount } from '../results.ts';
import type { PartFinds } from './set-part.ts';

/** What the next level counted of a whole trace. */
export interface NextLevelCounts {
  readonly lookups: number;
  readonly misses: number;
  /** Misses of pages that the cache had replaced and a fully associative one would still have held. */
  readonly conflicts: number;
  readonly walkReads: number;
  readonly wasted: number;
  readonly errors: readonly CommandErrorCount[];
  /** Most pages exposed at once. */
  readonly mostExposed: number;
  readonly walkCaches: { readonly [name: string]: CacheCounts };
  readonly context: CacheCounts;
  readonly pasid: CacheCounts;
}

/** No address space has it. */
const NO_TAG = -0x8000_0000;
const NO_WORDS: Int32Array = new Int32Array(0);
const NOTHING: Invalidatable = { dropAll: () => 0, dropMatching: () => 0, dropPages: () => 0 };

/** What is behind the sets, driven with the whole trace. */
export interface NextLevel {
  readonly played: Played;
  /** What all parts found in the segment that is played next. */
  begin(finds: PartFinds): void;
  counts(): NextLevelCounts;
}

/**
 * What lies behind the sets of an IOTLB and takes all accesses in their order: the stream of misses goes through the
 * paging-structure caches; a fully associative cache of the same size tells misses of conflict; configuration caches; which
 * commands were for nothing; how much was exposed at once. It is told what the parts of the IOTLB found in a segment before it
 * plays that segment itself. Page tables are the parts' alone. The rules are those of `createMachine`, for leaves of 4 KiB and
 * hardware that `partsRefusal` lets pass.
 */
export function createNextLevel(hardware: HardwareProfile): NextLevel {
  const geometry = iotlbGeometry(hardware);
  if (geometry === undefined) throw new RangeError('an IOTLB of sets expected');
  const value = (name: string): number => parameterOf(hardware, name);
  const { architecture } = hardware;
  const clock = new Float64Array(1);
  const kind = new Int32Array(1);
  const effects = EFFECTS[architecture];
  const { apply, kind: kindOf, dropsTranslations } = effects;
  const errors = new CommandErrors(effects.errorName);
  const spaces = new AddressSpaces(hardware, () => configuration.grow());
  const { requesters } = spaces;
  const { own } = spaces.formats;
  const walkCaches = new WalkCaches(
    own.maxLevels,
    [1, 2, 3, 4].map((level) => value(`walk-cache.l${level}`)),
    (level) => own.geometry.shifts[level]!,
    kind,
  );
  const configuration = new ConfigurationCaches(
    requesters,
    kind,
    () => spaces.domainOf,
    value('context.entries'),
    value('pasid.entries'),
    architecture === 'smmuv3',
  );
  /** What a fully associative cache of the same size would hold. */
  const ideal = new SetAssociativeIotlb(withoutSets(geometry), () => undefined);
  /** Which devices have caches of their own; what these hold is the parts' to know. */
  const deviceTlbs = new DeviceTlbs({ clock, kind }, deviceTlbGeometry(hardware), (rid) => configuration.unsettle(rid));
  const caches: HardwareCaches = {
    iotlb: unheard(ideal),
    walkCaches,
    stage2: NOTHING,
    configuration,
    deviceTlbs,
    match: entryMatch(),
    maxMask: architecture === 'vtd' ? value('command.max-mask') : 0,
    quirks: 0,
    hasCombined: () => false,
    knows: (domain) => spaces.knows(domain),
    dropRequester: () => 0,
  };

  let finds: PartFinds = {
    missed: NO_WORDS,
    evicted: NO_WORDS,
    served: NO_WORDS,
    dropped: NO_WORDS,
    levels: NO_WORDS,
    exposed: NO_WORDS,
  };
  let withServed = false;
  // numbers of the next action, access and command of the segment, and of the next pair in `levels` and in `exposed`
  let action = 0;
  let access = 0;
  let command = 0;
  let deep = 0;
  let change = 0;
  /** The action of that change; -1 behind the last. */
  let changed = -1;
  let lookups = 0;
  let misses = 0;
  let conflicts = 0;
  let walkReads = 0;
  let wasted = 0;
  let withPasid = 0;
  // what the newest access was to, for as long as nothing was dropped since
  let newestTag = NO_TAG;
  let newestLo = 0;
  let newestHi = 0;
  let exposed = 0;
  let peak = 0;
  let mostExposed = 0;

  const setTime = (time: number): void => {
    if (time > clock[0]!) clock[0] = time;
  };

  /** An action is over: the exposures that it changed. Those of one action all grow or all shrink. */
  const acted = (): void => {
    if (action++ !== changed) return;
    const { exposed: changes } = finds;
    for (; changes[change] === changed; change += 2) {
      exposed += changes[change + 1]!;
      if (exposed > peak) peak = exposed;
    }
    if (peak > mostExposed) mostExposed = peak;
    changed = changes[change] ?? -1;
  };

  /** An access that missed, of this number, is walked for: a table of each level is read, down to a leaf of 4 KiB. */
  const walk = (at: number, requester: number, pageLo: number, pageHi: number): void => {
    let { levels } = own;
    if (finds.levels[deep] === at) {
      levels = finds.levels[deep + 1]!;
      deep += 2;
    }
    const tag = spaces.tagOf[requester]!;
    const owner = spaces.domainOf[requester]!;
    const pasid = requesters.pasid[requester]!;
    walkReads += walkCaches.none ? levels : walkCaches.walk(tag, owner, pasid, 0, pageLo, pageHi, levels);
  };

  const played: Played = {
    dialect: effects.dialect,
    clock,
    attach(rid, pasid, domain) {
      const requester = spaces.of(rid, pasid);
      if (spaces.domainOf[requester] !== domain) spaces.attach(requester, domain);
    },
    domainOf: (rid, pasid) => spaces.domainOf[spaces.of(rid, pasid)]!,
    enableDeviceTlb: (rid) => deviceTlbs.enable(rid),
    map(time, domain) {
      setTime(time);
      spaces.tablesFor(domain);
      acted();
      return 0;
    },
    unmap(time, domain) {
      setTime(time);
      spaces.tablesFor(domain);
      acted();
      return 0;
    },
    reset(time) {
      setTime(time);
      newestTag = NO_TAG;
      kind[0] = 0;
      ideal.dropAll(DROP.reset);
      walkCaches.dropAll(DROP.reset);
      configuration.dropAll();
      acted();
    },
    commandNow(w0Lo, w0Hi, w1Lo, w1Hi, w2Lo = 0, w2Hi = 0) {
      const at = command++;
      newestTag = NO_TAG;
      kind[0] = kindOf(w0Lo, w0Hi);
      const count = apply(caches, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi);
      if (count < 0) errors.add(count);
      else if (count === 0 && !isSet(finds.dropped, at) && dropsTranslations(w0Lo, w0Hi)) wasted++;
      acted();
      return count;
    },
    accessNow(rid, pasid, domain, iovaLo, iovaHi) {
      const known = pasid < 0 && rid >>> 16 === 0 ? requesters.direct[rid]! : 0;
      if (pasid >= 0) withPasid++;
      const requester = known !== 0 ? known - 1 : spaces.of(rid, pasid);
      if (domain !== -1 && spaces.domainOf[requester] !== domain) spaces.attach(requester, domain);
      const at = access++;
      if (withServed && isSet(finds.served, at)) {
        acted();
        return 0;
      }
      if (configuration.ready[requester] === 0) {
        configuration.use(requester);
        if (deviceTlbs.of(rid) === undefined) configuration.settle(requester);
      }
      lookups++;
      const pageLo = (iovaLo >>> 12) | (iovaHi << 20);
      const pageHi = iovaHi >>> 12;
      const tag = spaces.tagOf[requester]!;
      // a page that was the newest stays it
      let held = tag === newestTag && pageLo === newestLo && pageHi === newestHi;
      if (!held) {
        held = ideal.lookup(tag, pageLo, pageHi) >= 0;
        if (!held) {
          ideal.insert(tag, spaces.domainOf[requester]!, requesters.pasid[requester]!, 0, pageLo, pageHi, 0, 0);
        }
        newestTag = tag;
        newestLo = pageLo;
        newestHi = pageHi;
      }
      if (isSet(finds.missed, at)) {
        misses++;
        if (held && isSet(finds.evicted, at)) conflicts++;
        walk(at, requester, pageLo, pageHi);
      }
      acted();
      return 0;
    },
    access: () => 0,
    takePeakExposed() {
      const before = peak;
      peak = exposed;
      return before;
    },
    get lookups() {
      return lookups;
    },
    get hits() {
      return lookups - misses;
    },
  };

  return {
    played,
    begin(found) {
      finds = found;
      withServed = found.served.length > 0;
      action = 0;
      access = 0;
      command = 0;
      deep = 0;
      change = 0;
      changed = found.exposed[0] ?? -1;
    },
    counts: () => ({
      lookups,
      misses,
      conflicts,
      walkReads,
      wasted,
      errors: errors.report(),
      mostExposed,
      walkCaches: walkCaches.report(effects.kindName),
      ...configuration.report(lookups, withPasid, effects.kindName),
    }),
  };
}

/** A cache whose own losses are nobody's concern. */
function unheard(cache: Invalidatable): Invalidatable {
  return {
    dropAll(why) {
      cache.dropAll(why);
      return 0;
    },
    dropMatching(match, why) {
      cache.dropMatching(match, why);
      return 0;
    },
    dropPages(match, pageLo, pageHi, order, why) {
      cache.dropPages(match, pageLo, pageHi, order, why);
      return 0;
    },
  };
}

function isSet(bits: Int32Array, at: number): boolean {
  return ((bits[at >>> 5]! >>> (at & 31)) & 1) !== 0;
}
