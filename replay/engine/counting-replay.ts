import { IorrError } from '../../traces/errors.ts';
import { OUTCOME, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { ReadPlan } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';
import { parameterOf } from '../hardware/profile.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { AddressSpaces } from '../model/address-spaces.ts';
import { CommandErrors } from '../model/command-error.ts';
import { ConfigurationCaches } from '../model/configuration-caches.ts';
import { DeviceTlbs } from '../model/device-tlbs.ts';
import { EFFECTS } from '../model/effects.ts';
import { entryMatch } from '../model/entry-match.ts';
import type { HardwareCaches, Invalidatable } from '../model/hardware-caches.ts';
import { deviceTlbGeometry, iotlbGeometry } from '../model/organisation.ts';
import { pagesTouched } from '../model/page-bits.ts';
import type { PageTables } from '../model/page-tables.ts';
import { stackProgram } from '../model/stacks-module.ts';
import type { StackShape } from '../model/stacks-module.ts';
import { ENTRY_WORDS, TranslationKernel, WALKED, suitsKernel } from '../model/translation-kernel.ts';
import type { Walker } from '../model/translation-kernel.ts';
import type { CommandErrorCount } from '../results.ts';
import { CONTROL_COLUMNS, createControls } from './controls.ts';
import type { ControlCounts } from './controls.ts';
import { droppedKeys } from './dropped-keys.ts';

/** What a replay that only counts tells. */
export interface ReplayCounts {
  readonly lookups: number;
  readonly hits: number;
  readonly misses: number;
  /** Entries of page tables that walks read; null where paging-structure caches, which are not modelled here, save some. */
  readonly walkReads: number | null;
  /** Translations that were refused; accesses that the source recorded as faults are not among them. */
  readonly faults: number;
  /** Accesses that the tables had no mapping for, and that were cached all the same. */
  readonly unbacked: number;
  /** Translations that commands dropped. */
  readonly invalidated: number;
  /** Sum of the low 32 bits of the output pages of all translations, modulo 2^64. */
  readonly outputs: bigint;
}

export interface CountingOptions {
  /** As a machine's. Default `fault`, and there only for pages that are not mapped: permissions are not looked at. */
  readonly unmappedAccess?: 'fault' | 'fill';
  /** Words that the kernel has room for: so many may be waiting to be run. */
  readonly room?: number;
  /** Plays through the stacks of several numbers of sets instead: `counts` has lookups alone then, and nothing is walked until pages are large. */
  readonly stacks?: StackShape;
}

export interface CountingReplay {
  readonly controls: ControlCounts;
  readonly commandErrors: () => readonly CommandErrorCount[];
  readonly kernel: TranslationKernel;
  /** Takes a segment. Throws `LIMIT` where the trace has what it is not for: large leaves, guests, caches of devices. */
  play(segment: Segment): void;
  /** Takes only maps, unmaps and attachments of a segment: those before the stretch of a trace that is to be counted. */
  forward(segment: Segment): void;
  /**
   * From here on it is noted whether anything depends on accesses that were not taken: which domain a requester had last, and
   * the order in which address spaces were first seen.
   */
  begin(): void;
  readonly needsHistory: boolean;
  /** What the cache holds: way by way the number of the address space, high and low word of the page and its output. */
  cache(): Int32Array<ArrayBuffer>;
  setCache(held: Int32Array): void;
  /** Takes a segment without playing what need not be played yet. */
  gather(segment: Segment): void;
  counts(): ReplayCounts;
}

/** What it reads of a trace, into memory of its kernel. */
export function countingPlan({ kernel }: CountingReplay): ReadPlan {
  return { columns: COLUMNS, arrays: kernel.arrays, untimed: true };
}

const COLUMNS = {
  ...CONTROL_COLUMNS,
  dma: ['rid', 'pasid', 'domain', 'iova', 'outcome', 'pageShift'],
} as const;

const { dma: DMA, inv: INV, map: MAP, unmap: UNMAP, attach: ATTACHED } = STREAM_ID;
/** No address space has this number. */
const NO_SPACE = -0x8000_0000;
const UNTRANSLATED = OUTCOME.bypass | OUTCOME.fault;
const NOTHING: Invalidatable = { dropAll: () => 0, dropMatching: () => 0, dropPages: () => 0 };

function notForThis(what: string): IorrError {
  return new IorrError('LIMIT', what, { hint: 'iorr replay without --counts plays it' });
}

/**
 * A replay for hits, misses, walks and what commands drop and nothing else: no causes, no staleness, no paging-structure caches, no times.
 * The same counts as the machine's, many times as fast. Each segment becomes a list of words, keys of accesses and of what
 * commands drop, which a kernel in WebAssembly plays; the rules of commands, page tables and address spaces are the model's own.
 * Undefined for hardware that it is not for.
 */
export function createCountingReplay(
  profile: HardwareProfile,
  options: CountingOptions = {},
): CountingReplay | undefined {
  const geometry = iotlbGeometry(profile);
  if (geometry === undefined || !suitsKernel(geometry)) return undefined;
  const value = (name: string): number => parameterOf(profile, name);
  const walkCaches = [1, 2, 3, 4].some((level) => value(`walk-cache.l${level}`) > 0);
  const { architecture } = profile;
  const effects = EFFECTS[architecture];
  const fills = options.unmappedAccess === 'fill';
  const withDeviceTlbs = deviceTlbGeometry(profile) !== undefined;
  const kind = new Int32Array(1);
  const clock = new Float64Array(1);
  const spaces = new AddressSpaces(profile, () => {
    const wider = new Int32Array(spaces.domainOf.length);
    wider.set(indexOf);
    indexOf = wider;
    configuration.grow();
  });
  const { requesters, formats } = spaces;
  const format = formats.own;
  // where the root may grow, the number of levels may still change
  const steady = format.maxLevels === format.levels;
  const configuration = new ConfigurationCaches(
    requesters,
    kind,
    () => spaces.domainOf,
    0,
    0,
    architecture === 'smmuv3',
  );
  const errors = new CommandErrors(effects.errorName);
  /** By requester: what stands for its address space in keys, in its place there. */
  let indexOf = new Int32Array(spaces.domainOf.length);
  const indexOfTag = new Map<number, number>();
  const tagOfIndex: number[] = [0];
  const domainOfIndex: number[] = [];
  /** Requesters whose domain was told since `begin`; undefined before. */
  let told: Set<number> | undefined;
  let needsHistory = false;
  let walkReads = 0;
  let asked = 0;
  let faults = 0;
  let unbacked = 0;
  let lookups = 0;
  /** Page sizes that the source saw, of the segment at hand. */
  let shifts: Int32Array = new Int32Array(0);
  /** Whether some is larger than 4 KiB; undefined until someone asks. */
  let large: boolean | undefined;

  const walker: Walker = {
    output: 0,
    walk(index, pageLo, pageHi) {
      asked++;
      const held = spaces.tables.get(domainOfIndex[index]!);
      const level = held === undefined ? -1 : held.translate(pageLo, pageHi);
      if (held === undefined || level < 0) {
        walkReads += held === undefined ? format.levels : held.levels;
        walker.output = 0;
        if (held !== undefined && fills) unbacked++;
        if (fills && (large ??= shifts.some((shift) => shift > 12)))
          throw notForThis('accesses of large pages that no page table maps');
        if (held === undefined || fills) return WALKED.once;
        faults++;
        return WALKED.fault;
      }
      if (held.leafShift !== 12) throw notForThis('pages larger than 4 KiB are mapped');
      walkReads += held.levels - level;
      walker.output = held.outLo;
      return steady && level === 0 ? WALKED.until : WALKED.once;
    },
  };
  const codes = { dma: DMA, untranslated: UNTRANSLATED };
  const { stacks } = options;
  const kernel = new TranslationKernel(geometry, walker, {
    codes,
    room: options.room,
    program: stacks && stackProgram(stacks, codes),
  });
  const drops = droppedKeys((space, first, last) => {
    if (kernel.full) kernel.run();
    kernel.addDrop(space, first, last);
  });

  const indexOfSpace = (tag: number, domain: number, pasid: number): number => {
    let index = indexOfTag.get(tag);
    if (index === undefined) {
      index = kernel.addSpace(tag);
      indexOfTag.set(tag, index);
      tagOfIndex[index] = tag;
      domainOfIndex[index] = domain;
      drops.addSpace(index, domain, pasid);
    }
    return index;
  };

  const settle = (requester: number): void => {
    const domain = spaces.domainOf[requester]!;
    if (spaces.isGuest(domain)) throw notForThis('domains of a second stage alone');
    const tag = spaces.tagOf[requester]!;
    indexOf[requester] = indexOfSpace(tag, domain, spaces.guests ? -1 : requesters.pasid[requester]!);
    tell(requester);
  };

  /** What the kernel is to take a requester's accesses for. */
  const tell = (requester: number): void => {
    const rid = requesters.first[requester]!;
    if (requesters.pasid[requester]! >= 0 || rid >>> 16 !== 0) return;
    kernel.setRequester(rid, indexOf[requester]!, spaces.domainOf[requester]!, attached[rid] !== 0);
  };

  const requesterOf = (rid: number, pasid: number): number => {
    const { count } = requesters;
    const requester = spaces.of(rid, pasid);
    if (requester === count) settle(requester);
    return requester;
  };

  const attach = (requester: number, domain: number): void => {
    if (spaces.domainOf[requester] === domain) return;
    spaces.attach(requester, domain);
    settle(requester);
    if (told !== undefined && spaces.tagOf[requester] !== domain) needsHistory = true;
  };

  const caches: HardwareCaches = {
    iotlb: drops.iotlb,
    walkCaches: NOTHING,
    stage2: NOTHING,
    configuration,
    deviceTlbs: new DeviceTlbs({ clock, kind, onDrop: undefined }, undefined, () => undefined),
    match: entryMatch(),
    maxMask: architecture === 'vtd' ? value('command.max-mask') : 0,
    quirks: 0,
    knows: (domain) => {
      if (told !== undefined) needsHistory = true;
      return spaces.knows(domain);
    },
    hasCombined: () => false,
    dropRequester: () => 0,
  };

  /** Walks of these pages are to be done again. */
  const changed = (domain: number, page: number, count: number): void => {
    for (const index of drops.spacesOf(domain)) kernel.forget(index, page, count);
  };

  const controls = createControls({
    dialect: effects.dialect,
    clock,
    attach: (rid, pasid, domain) => attach(requesterOf(rid, pasid), domain),
    domainOf: (rid, pasid) => spaces.domainOf[requesterOf(rid, pasid)]!,
    enableDeviceTlb: () => {
      if (withDeviceTlbs) throw notForThis('a device has a cache of its own');
    },
    reset: () => void drops.iotlb.dropAll(0),
    map: (_time, domain, iovaLo, iovaHi, physLo, physHi, sizeLo, sizeHi, prot) => {
      kernel.run();
      const page = (iovaHi >>> 0) * 0x100000 + (iovaLo >>> 12);
      const count = pagesTouched(iovaLo, sizeLo, sizeHi);
      const out = (physHi >>> 0) * 0x100000 + (physLo >>> 12);
      const held = spaces.tablesFor(domain);
      const events = held.map(page, out, count, prot);
      if (stacks !== undefined && count > 1 && hasLarge(held, page, count)) kernel.askWalks();
      // a page that was not mapped before is not remembered
      if (events !== 0) changed(domain, page, count);
      return 0;
    },
    unmap: (_time, domain, iovaLo, iovaHi, sizeLo, sizeHi) => {
      kernel.run();
      const page = (iovaHi >>> 0) * 0x100000 + (iovaLo >>> 12);
      const count = pagesTouched(iovaLo, sizeLo, sizeHi);
      spaces.tablesFor(domain).unmap(page, count);
      changed(domain, page, count);
      return 0;
    },
    commandNow: (w0Lo, w0Hi, w1Lo, w1Hi, w2Lo = 0, w2Hi = 0) => {
      const result = effects.apply(caches, w0Lo, w0Hi, w1Lo, w1Hi, w2Lo, w2Hi);
      drops.end();
      if (result < 0) errors.add(result);
      return result;
    },
  });
  const { attached } = controls;

  const row = new Int32Array(STREAM_NAMES.length);
  const gather = ({ stream, count, rows, firstEvent }: Segment): void => {
    const { columns } = rows.dma;
    shifts = columns.pageShift.subarray(0, rows.dma.count);
    large = undefined;
    if (stacks !== undefined && shifts.some((shift) => shift > 12)) kernel.askWalks();
    kernel.setAccesses(stream.subarray(0, count), columns);
    row.fill(0);
    for (let i = kernel.gather(0, count); i < count; i = kernel.gather(i, count)) {
      const id = stream[i]!;
      if (id === DMA) {
        if (kernel.full) kernel.run();
        else {
          access(columns, kernel.row);
          kernel.row++;
          i++;
        }
        continue;
      }
      const other = row[id]!;
      row[id] = other + 1;
      if (id === INV) controls.inv(rows.inv.columns, other);
      else if (id === MAP) controls.map(rows.map.columns, other);
      else if (id === UNMAP) controls.unmap(rows.unmap.columns, other, firstEvent + i);
      else if (id === ATTACHED) {
        const device = rows.attach.columns.device[other]!;
        controls.attach(rows.attach.columns, other);
        if (device !== ABSENT && told === undefined) tell(requesterOf(device, ABSENT));
      }
      i++;
    }
    lookups += kernel.seen;
  };

  /** An access that the kernel doesn't know the space of: the first of a requester, one with a PASID or of another domain. */
  const access = (columns: Columns<'dma'>, at: number): void => {
    if ((columns.outcome[at]! & UNTRANSLATED) !== 0) return;
    const rid = columns.rid[at]!;
    const pasid = columns.pasid[at]!;
    const domain = columns.domain[at]!;
    const requester = requesterOf(rid, pasid);
    const steady = pasid < 0 && rid >>> 16 === 0 && attached[rid] !== 0;
    if (!steady && domain !== ABSENT) {
      attach(requester, domain);
      told?.add(requester);
    }
    if (told !== undefined) {
      const tag = spaces.tagOf[requester]!;
      if (tag !== spaces.domainOf[requester] || tag < 0 || !(steady || told.has(requester))) needsHistory = true;
      tell(requester);
    }
    kernel.addAccess(indexOf[requester]!, columns.iovaLo[at]!, columns.iovaHi[at]!);
    lookups++;
  };

  return {
    controls: controls.counts,
    commandErrors: () => errors.report(),
    kernel,
    get needsHistory() {
      return needsHistory;
    },

    forward({ stream, count, rows, firstEvent }) {
      row.fill(0);
      for (let i = 0; i < count; i++) {
        const id = stream[i]!;
        const at = row[id]!;
        row[id] = at + 1;
        if (id === MAP) controls.map(rows.map.columns, at);
        else if (id === UNMAP) controls.unmap(rows.unmap.columns, at, firstEvent + i);
        else if (id === ATTACHED) controls.attach(rows.attach.columns, at);
      }
    },

    begin() {
      told = new Set();
      // every requester is to be looked at once
      for (const rid of requesters.first) if (rid >>> 16 === 0) kernel.setRequester(rid, 0, 0, false);
    },

    cache() {
      const held = kernel.entries();
      for (let at = 0; at < held.length; at += ENTRY_WORDS) {
        held[at] = held[at] === 0 ? NO_SPACE : tagOfIndex[held[at]!]!;
      }
      return held;
    },

    setCache(held) {
      const own = Int32Array.from(held);
      for (let at = 0; at < own.length; at += ENTRY_WORDS) {
        const tag = own[at]!;
        // other numbers than those of domains themselves mean something only where they were given
        if (tag !== NO_SPACE && tag >>> 16 !== 0) needsHistory = true;
        own[at] = tag === NO_SPACE ? 0 : indexOfSpace(tag, tag, ABSENT);
      }
      kernel.setEntries(own);
    },
    gather,
    play(segment) {
      gather(segment);
      kernel.run();
    },
    counts() {
      const { misses, invalidated, outputs } = kernel.counts();
      const reads = walkCaches ? null : walkReads + (misses - asked) * format.levels;
      return { lookups, hits: lookups - misses, misses, walkReads: reads, faults, unbacked, invalidated, outputs };
    },
  };
}

/** Whether a leaf of what was just mapped is larger than 4 KiB: the first place for one tells, others lie as it does. */
function hasLarge(held: PageTables, page: number, count: number): boolean {
  const [smallest, next] = held.format.geometry.sizes;
  if (smallest?.pages !== 1) return true;
  if (next === undefined) return false;
  const first = Math.ceil(page / next.pages) * next.pages;
  if (first + next.pages > page + count) return false;
  return held.translate(first | 0, Math.floor(first / 2 ** 32)) >= 0 && held.leafShift > 12;
}
