import { IorrError } from '../../traces/errors.ts';
import { OUTCOME, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
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
import { KEY_PAGE_HIGH_BITS, WALKED, createTranslationKernel, suitsKernel } from '../model/translation-kernel.ts';
import type { TranslationKernel, Walker } from '../model/translation-kernel.ts';
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
}

export interface CountingReplay {
  readonly controls: ControlCounts;
  readonly commandErrors: () => readonly CommandErrorCount[];
  readonly kernel: TranslationKernel;
  /** Takes a segment. Throws `LIMIT` where the trace has what it is not for: large leaves, guests, caches of devices. */
  play(segment: Segment): void;
  /** Takes a segment without running what need not be run yet; returns how many words wait. */
  gather(segment: Segment): number;
  counts(): ReplayCounts;
}

/** Columns that it reads. */
export const COUNTING_COLUMNS = {
  ...CONTROL_COLUMNS,
  dma: ['rid', 'pasid', 'domain', 'iova', 'outcome', 'pageShift'],
} as const;

const { dma: DMA, inv: INV, map: MAP, unmap: UNMAP, attach: ATTACHED } = STREAM_ID;
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
  const domainOfIndex: number[] = [];
  let walkReads = 0;
  let asked = 0;
  let faults = 0;
  let unbacked = 0;
  let lookups = 0;
  let largePages = false;

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
        if (fills && largePages) throw notForThis('accesses of large pages that no page table maps');
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
  const kernel = createTranslationKernel(geometry, walker, options.room);
  const { wordsAt, room } = kernel;
  /** Words that wait, as an index in the kernel's memory. */
  let at = wordsAt;
  const full = wordsAt + (room - 4) * 2;

  const run = (): void => {
    const count = (at - wordsAt) >>> 1;
    at = wordsAt;
    if (count > 0) kernel.play(count);
  };

  const drops = droppedKeys((firstHi, firstLo, lastHi, lastLo) => {
    if (at >= full) run();
    const { memory } = kernel;
    memory[at] = 0;
    memory[at + 1] = 0;
    memory[at + 2] = firstLo;
    memory[at + 3] = firstHi;
    memory[at + 4] = lastLo;
    memory[at + 5] = lastHi;
    at += 6;
  });

  const settle = (requester: number): void => {
    const domain = spaces.domainOf[requester]!;
    if (spaces.isGuest(domain)) throw notForThis('domains of a second stage alone');
    const tag = spaces.tagOf[requester]!;
    let index = indexOfTag.get(tag);
    if (index === undefined) {
      index = kernel.addSpace(tag);
      indexOfTag.set(tag, index);
      domainOfIndex[index] = domain;
      drops.addSpace(index, domain, spaces.guests ? -1 : requesters.pasid[requester]!);
    }
    indexOf[requester] = index << KEY_PAGE_HIGH_BITS;
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
    knows: (domain) => spaces.knows(domain),
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
      run();
      const page = (iovaHi >>> 0) * 0x100000 + (iovaLo >>> 12);
      const count = pagesOf(iovaLo, sizeLo, sizeHi);
      const out = (physHi >>> 0) * 0x100000 + (physLo >>> 12);
      const events = spaces.tablesFor(domain).map(page, out, count, prot);
      // a page that was not mapped before is not remembered
      if (events !== 0) changed(domain, page, count);
      return 0;
    },
    unmap: (_time, domain, iovaLo, iovaHi, sizeLo, sizeHi) => {
      run();
      const page = (iovaHi >>> 0) * 0x100000 + (iovaLo >>> 12);
      const count = pagesOf(iovaLo, sizeLo, sizeHi);
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
  const gather = ({ stream, count, rows, firstEvent }: Segment): number => {
    const { rid: rids, pasid: pasids, domain: domains, iovaLo, iovaHi, outcome, pageShift } = rows.dma.columns;
    const { direct } = requesters;
    if (!largePages) largePages = anyAbove(pageShift, rows.dma.count, 12);
    row.fill(0);
    let r = 0;
    let seen = 0;
    let space = 0;
    let lastRid = -1;
    let lastPasid = 0;
    let lastDomain = 0;
    for (let i = 0; i < count; ) {
      const id = stream[i]!;
      if (id !== DMA) {
        const other = row[id]!;
        row[id] = other + 1;
        if (id === INV) controls.inv(rows.inv.columns, other);
        else if (id === MAP) controls.map(rows.map.columns, other);
        else if (id === UNMAP) controls.unmap(rows.unmap.columns, other, firstEvent + i);
        else if (id === ATTACHED) {
          controls.attach(rows.attach.columns, other);
          lastRid = -1;
        }
        i++;
        continue;
      }
      // accesses come in runs, and those of one device too
      const { memory } = kernel;
      let to = at;
      do {
        const each = r++;
        if ((outcome[each]! & UNTRANSLATED) !== 0) continue;
        seen++;
        const rid = rids[each]!;
        const pasid = pasids[each]!;
        const domain = domains[each]!;
        if (rid !== lastRid || pasid !== lastPasid || domain !== lastDomain) {
          const plain = pasid < 0 && rid >>> 16 === 0;
          const known = plain ? direct[rid]! : 0;
          const requester = known !== 0 ? known - 1 : requesterOf(rid, pasid);
          if ((!plain || attached[rid] === 0) && domain !== ABSENT) attach(requester, domain);
          space = indexOf[requester]!;
          lastRid = rid;
          lastPasid = pasid;
          lastDomain = domain;
        }
        const lo = iovaLo[each]!;
        const hi = iovaHi[each]!;
        memory[to] = (lo >>> 12) | (hi << 20);
        memory[to + 1] = (hi >>> 12) | space;
        to += 2;
      } while (++i < count && to < full && stream[i] === DMA);
      at = to;
      if (to >= full) run();
    }
    lookups += seen;
    return (at - wordsAt) >>> 1;
  };

  return {
    controls: controls.counts,
    commandErrors: () => errors.report(),
    kernel,
    gather,
    play(segment) {
      gather(segment);
      run();
    },
    counts() {
      const { misses, invalidated, outputs } = kernel.counts();
      const reads = walkCaches ? null : walkReads + (misses - asked) * format.levels;
      return { lookups, hits: lookups - misses, misses, walkReads: reads, faults, unbacked, invalidated, outputs };
    },
  };
}

/** 4 KiB pages that a range touches. */
function pagesOf(iovaLo: number, sizeLo: number, sizeHi: number): number {
  const bytes = (sizeHi >>> 0) * 2 ** 32 + (sizeLo >>> 0) + (iovaLo & 0xfff);
  return Math.ceil(bytes / 4096);
}

function anyAbove(column: Int32Array, rows: number, limit: number): boolean {
  let most = 0;
  for (let i = 0; i < rows; i++) most = Math.max(most, column[i]!);
  return most > limit;
}
