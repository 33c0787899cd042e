import { OUTCOME, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT, joinWords } from '../../traces/units.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { alignHigh, alignLow } from '../model/iotlb.ts';
import { ACCESS_RESULT } from '../model/machine.ts';
import type { Machine } from '../model/machine.ts';
import { createMachine } from '../model/create-machine.ts';
import { CONTROL_COLUMNS, createControls } from './controls.ts';
import type { Controls } from './controls.ts';
import { OutputVotes } from './output-votes.ts';
import { DivergenceList, countsOf } from './verification.ts';
import type { Tally, VerifyPart } from './verification.ts';

const COLUMNS = {
  ...CONTROL_COLUMNS,
  dma: ['rid', 'pasid', 'domain', 'iova', 'access', 'pageShift', 'outcome', 'out'],
} as const;

const NO_TABLE = 'no page table';
const NO_MAPPING = 'no mapping at its time';
const NOT_RECORDED = 'hit or miss not recorded';
const NO_PROTECTIONS = 'fault: on a mapped page, and no map says what it allows';
const NO_DOMAIN = 'domain of the access not known';
const BYPASSED = 'passed through untranslated';

/**
 * Checks each recorded access against a machine that sees requests, commands and maps, never an outcome: hit or miss, the moments
 * at which the whole cache was emptied, and the output address. Returns undefined where the trace has no accesses. In steps of a
 * segment, that yield the number of events done.
 */
export function* verifyDma(trace: Trace, hardware: HardwareProfile): Generator<number, VerifyPart | undefined> {
  if (trace.streamCounts.dma === 0) return undefined;
  const check = new DmaCheck(hardware);
  for (const segment of trace.segments({ columns: COLUMNS, reuse: true })) {
    check.segment(segment);
    yield segment.firstEvent + segment.count;
  }
  return check.finish();
}

class DmaCheck {
  readonly #machine: Machine;
  readonly #controls: Controls;
  readonly #votes: OutputVotes;
  /** By slot: 1 if the page tables gave the entry its output, and the order of the leaf. */
  readonly #translated: Uint8Array;
  readonly #leafOrder: Uint8Array;
  readonly #row = new Int32Array(STREAM_NAMES.length);
  readonly #events: Tally = { agreed: 0, diverged: 0 };
  readonly #outcome: Tally = { agreed: 0, diverged: 0 };
  readonly #reset: Tally = { agreed: 0, diverged: 0 };
  readonly #output: Tally = { agreed: 0, diverged: 0 };
  readonly #list = new DivergenceList();
  readonly #skipped = new Map<string, number>();
  #resets = 0;
  /** Some map said what it allows: without, a refusal may be right on a mapped page. */
  #protections = false;
  readonly #hardware: HardwareProfile;
  /** QEMU's AMD IOMMU logs the output of the leaf's first page (hw/i386/amd_iommu.c). */
  readonly #firstOfLeaf: boolean;

  constructor(hardware: HardwareProfile) {
    this.#hardware = hardware;
    this.#firstOfLeaf = hardware.iotlb === 'qemu-amd';
    this.#machine = createMachine(hardware, { unmappedAccess: 'fill', onDrop: (slot) => this.#settle(slot) });
    this.#controls = createControls(this.#machine);
    const slots = this.#machine.entries.capacity;
    this.#votes = new OutputVotes(slots);
    this.#translated = new Uint8Array(slots);
    this.#leafOrder = new Uint8Array(slots);
  }

  segment(segment: Segment): void {
    const { stream, time, count, rows, firstEvent } = segment;
    const row = this.#row.fill(0);
    const { clock } = this.#machine;
    for (let i = 0; i < count; i++) {
      const id = stream[i]!;
      const r = row[id]!;
      row[id] = r + 1;
      if (time[i]! > clock[0]!) clock[0] = time[i]!;
      switch (id) {
        case STREAM_ID.dma:
          this.#access(rows.dma.columns, r, firstEvent + i);
          break;
        case STREAM_ID.inv:
          this.#controls.inv(rows.inv.columns, r);
          break;
        case STREAM_ID.map:
          if (rows.map.columns.prot[r] !== 0) this.#protections = true;
          this.#controls.map(rows.map.columns, r);
          break;
        case STREAM_ID.unmap:
          this.#controls.unmap(rows.unmap.columns, r, firstEvent + i);
          break;
        case STREAM_ID.attach:
          this.#controls.attach(rows.attach.columns, r);
          break;
        default:
      }
    }
  }

  finish(): VerifyPart {
    const { entries } = this.#machine;
    for (let slot = 0; slot < entries.capacity; slot++) if (entries.live[slot] !== 0) this.#settle(slot);
    const { unattributed } = this.#controls.counts;
    const notes = [`hardware ${this.#hardware.name}; ${this.#resets} resets of the whole cache predicted`];
    if (unattributed > 0) notes.push(`${unattributed} maps and unmaps have no domain and are in no page table`);
    return {
      kind: 'dma',
      counts: countsOf(this.#events),
      parts: {
        'dma.outcome': countsOf(this.#outcome),
        'dma.output': countsOf(this.#output),
        'dma.reset': countsOf(this.#reset),
      },
      skipped: Object.fromEntries(this.#skipped),
      divergences: this.#list.list(),
      notes,
    };
  }

  #access(dma: Columns<'dma'>, r: number, event: number): void {
    const outcome = dma.outcome[r]!;
    const rid = dma.rid[r]!;
    const pasid = dma.pasid[r]!;
    if ((outcome & OUTCOME.bypass) !== 0) {
      this.#skip(BYPASSED);
      return;
    }
    const attached = pasid < 0 && rid >>> 16 === 0 && this.#controls.attached[rid] !== 0;
    const domain = attached ? ABSENT : dma.domain[r]!;
    // The lines that say whether it hit name the domain, too: without them other devices' pages may be meant.
    if (domain === ABSENT && (outcome & OUTCOME.known) === 0 && this.#machine.domainOf(rid, pasid) === ABSENT) {
      this.#skip(NO_DOMAIN);
      return;
    }
    const iovaLo = dma.iovaLo[r]!;
    const iovaHi = dma.iovaHi[r]!;
    if ((outcome & OUTCOME.fault) !== 0) {
      this.#fault(attached ? this.#machine.domainOf(rid, pasid) : domain, iovaLo, iovaHi, event);
      return;
    }
    const machine = this.#machine;
    const result = machine.accessNow(rid, pasid, domain, iovaLo, iovaHi, dma.access[r]!, dma.pageShift[r]!);
    const hit = (result & ACCESS_RESULT.hit) !== 0;
    const reset = (result & ACCESS_RESULT.reset) !== 0;
    const { slot, translated } = machine.last;
    if (!hit) {
      this.#translated[slot] = translated ? 1 : 0;
      this.#leafOrder[slot] = machine.last.order;
    }
    if (reset) this.#resets++;
    let checked = false;
    let diverged = false;
    if ((outcome & OUTCOME.known) !== 0) {
      checked = true;
      const recordedHit = (outcome & OUTCOME.hit) !== 0;
      const recordedReset = (outcome & OUTCOME.reset) !== 0;
      if (recordedHit === hit) this.#outcome.agreed++;
      else {
        this.#outcome.diverged++;
        diverged = true;
        this.#diverge(event, 'outcome', recordedHit ? 'hit' : 'miss', hit ? 'hit' : 'miss');
      }
      if (recordedReset !== reset) {
        this.#reset.diverged++;
        if (!diverged) this.#diverge(event, 'reset', said(recordedReset), said(reset));
        diverged = true;
      } else if (reset) this.#reset.agreed++;
    } else this.#skip(NOT_RECORDED);

    if (diverged) this.#bearWitness(dma, r, slot, outcome, event);
    else {
      const output = this.#checkOutput(dma, r, slot, hit, outcome, event);
      checked ||= output !== SKIPPED;
      diverged = output === DIVERGED;
    }
    if (diverged) this.#events.diverged++;
    else if (checked) this.#events.agreed++;
  }

  #checkOutput(dma: Columns<'dma'>, r: number, slot: number, hit: boolean, outcome: number, event: number): number {
    const lo = dma.outLo[r]!;
    const hi = dma.outHi[r]!;
    const shift = dma.pageShift[r]!;
    if ((outcome & OUTCOME.inconsistent) !== 0) {
      this.#output.diverged++;
      this.#diverge(event, 'output', address(lo, hi), 'two lines of the source disagree');
      return DIVERGED;
    }
    if (this.#translated[slot] === 1) {
      const { entries } = this.#machine;
      const iovaLo = dma.iovaLo[r]!;
      const order = entries.orderOf(slot);
      const pageLo = entries.outLoOf(slot) | (((iovaLo >>> 12) | (dma.iovaHi[r]! << 20)) & ~alignLow(-1, order));
      const pageHi = entries.outHiOf(slot) | ((dma.iovaHi[r]! >>> 12) & ~alignHigh(-1, order));
      const modelLo = pageLo << 12;
      const modelHi = (pageLo >>> 20) | (pageHi << 12);
      // bits below the recorded page size are not part of the record, nor are those of the leaf where its first page is
      const bits = Math.max(12, shift, this.#firstOfLeaf ? this.#leafOrder[slot]! + 12 : 0);
      const keepLo = alignLow(-1, bits);
      const keepHi = alignHigh(-1, bits);
      if (((lo ^ modelLo) & keepLo) === 0 && ((hi ^ modelHi) & keepHi) === 0) {
        this.#output.agreed++;
        return AGREED;
      }
      this.#output.diverged++;
      this.#diverge(event, 'output', address(lo & keepLo, hi & keepHi), address(modelLo & keepLo, modelHi & keepHi));
      return DIVERGED;
    }
    this.#votes.vote(slot, lo, hi, shift, event, !hit, false);
    if (hit) {
      // taken for agreed until the translation goes and its rows have voted
      this.#output.agreed++;
      return AGREED;
    }
    this.#skip(
      this.#machine.translate(this.#machine.entries.domainOf(slot), 0, 0) === NO_TABLES ? NO_TABLE : NO_MAPPING,
    );
    return SKIPPED;
  }

  /** The output of a row that diverged otherwise: evidence for what the others should be, not checked itself. */
  #bearWitness(dma: Columns<'dma'>, r: number, slot: number, outcome: number, event: number): void {
    if ((outcome & OUTCOME.inconsistent) !== 0 || this.#translated[slot] === 1) return;
    this.#votes.vote(slot, dma.outLo[r]!, dma.outHi[r]!, dma.pageShift[r]!, event, false, true);
  }

  /** A refused access must have no mapping. */
  #fault(domain: number, iovaLo: number, iovaHi: number, event: number): void {
    const level = this.#machine.translate(domain, iovaLo, iovaHi);
    if (level === NO_TABLES) {
      this.#skip(`fault: ${NO_TABLE}`);
      return;
    }
    if (level < 0) {
      this.#outcome.agreed++;
      this.#events.agreed++;
      return;
    }
    if (!this.#protections) {
      this.#skip(NO_PROTECTIONS);
      return;
    }
    this.#outcome.diverged++;
    this.#events.diverged++;
    this.#diverge(event, 'outcome', 'fault', 'mapped');
  }

  #settle(slot: number): void {
    for (const { events, count, fill, recorded, elected } of this.#votes.settle(slot)) {
      // the fill itself was skipped, not agreed
      const hits = fill ? count - 1 : count;
      this.#output.agreed -= hits;
      this.#output.diverged += count;
      this.#events.agreed -= count;
      this.#events.diverged += count;
      if (fill) this.#skip(NO_TABLE, -1);
      for (const event of events) {
        this.#diverge(event, 'output', address(recorded.lo, recorded.hi), address(elected.lo, elected.hi));
      }
    }
  }

  #skip(reason: string, count = 1): void {
    this.#skipped.set(reason, (this.#skipped.get(reason) ?? 0) + count);
  }

  #diverge(event: number, what: string, recorded: string, model: string): void {
    this.#list.add({ event, kind: 'dma', what, recorded, model });
  }
}

const SKIPPED = 0;
const AGREED = 1;
const DIVERGED = 2;
/** What `translate` returns for a domain without page tables. */
const NO_TABLES = -2;

function said(reset: boolean): string {
  return reset ? 'whole cache emptied' : 'not emptied';
}

function address(lo: number, hi: number): string {
  return `0x${joinWords(lo, hi).toString(16)}`;
}
