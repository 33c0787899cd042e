import { AMD_COMMAND, amdCommand } from '../../traces/dialects/amd-fields.ts';
import {
  SMMUV3_OPCODE,
  smmuGranuleShift,
  smmuIsTlbiRange,
  smmuLeaf,
  smmuOpcode,
  smmuTg,
} from '../../traces/dialects/smmuv3-fields.ts';
import { DIALECT, INV_FORM, ORIGIN } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { ABSENT } from '../../traces/units.ts';
import type { DomainId } from '../../traces/units.ts';
import { DEFAULT_CONTEXT } from '../designs/design.ts';
import { domainOfCommand } from './flush-commands.ts';
import type { InvTraits } from './inv-traits.ts';
import { changesTables } from './table-changes.ts';

/** Flushes of a lazy system are at most this share of its unmaps: about one in 138 was recorded, one in 255 is the least. */
const LAZY_SHARE = 0.1;
/** Between hardly any unmap and every one, with room for mappings that the DMA API's events leave out. */
const HALF = 0.5;

/** What the commands of SMMUv3, AMD and virtio-iommu tell about the system. */
export class QueueTraits {
  /** By `DIALECT`. */
  readonly #commands = new Int32Array(8);
  readonly #paged = new Set<DomainId>();
  #interrupts = 0;
  #byAddress = 0;
  #wide = 0;
  #ranges = 0;
  #el2 = 0;
  #granuleShift = 0;
  #decoded = 0;
  /** Completion waits of AMD that close commands which drop pages. */
  #flushes = 0;
  #open = false;
  /** Events that change tables: the DMA API's own stand beside them for the same pages. */
  #maps = 0;
  #unmaps = 0;
  /** Mappings by the DMA API: a list of many maps is one of them, and one flush where maps are flushed. */
  #calls = 0;

  get commands(): number {
    return this.#commands.reduce((sum, n) => sum + n, 0);
  }

  command(dialect: number, columns: Pick<Columns<'inv'>, 'form' | 'w0Lo' | 'w0Hi' | 'w1Lo'>, row: number): void {
    const w0Lo = columns.w0Lo[row] ?? 0;
    const w0Hi = columns.w0Hi[row] ?? 0;
    this.#commands[dialect] = (this.#commands[dialect] ?? 0) + 1;
    if (columns.form[row] === INV_FORM.decoded) this.#decoded++;
    if (dialect === DIALECT.smmuv3) this.#smmu(w0Lo, w0Hi, columns.w1Lo[row] ?? 0);
    else if (dialect === DIALECT.amd) {
      const command = amdCommand(w0Hi);
      if (command === AMD_COMMAND.interruptTable) this.#interrupts++;
      if (command === AMD_COMMAND.pages) this.#open = true;
      else if (command === AMD_COMMAND.completionWait && this.#open) {
        this.#open = false;
        this.#flushes++;
      }
    }
  }

  mapped(columns: Pick<Columns<'map'>, 'origin' | 'domain'>, count: number): void {
    this.#maps += changes(columns, count);
    for (let i = 0; i < count; i++) if (columns.origin[i] === ORIGIN.dmaApi) this.#calls++;
  }

  unmapped(columns: Pick<Columns<'unmap'>, 'origin' | 'domain'>, count: number): void {
    this.#unmaps += changes(columns, count);
  }

  #smmu(w0Lo: number, w0Hi: number, w1Lo: number): void {
    const opcode = smmuOpcode(w0Lo);
    if (smmuIsTlbiRange(w0Lo)) {
      this.#byAddress++;
      // a table that is freed is flushed at once in a queued domain too, but not as a leaf
      if (smmuLeaf(w1Lo)) this.#paged.add(domainOfCommand(DIALECT.smmuv3, w0Lo, w0Hi));
      if (smmuTg(w1Lo) !== 0) {
        this.#ranges++;
        this.#granuleShift = smmuGranuleShift(smmuTg(w1Lo));
      }
      if (opcode === SMMUV3_OPCODE.tlbiEl2Va) this.#el2++;
    } else if (opcode === SMMUV3_OPCODE.tlbiNhAsid || opcode === SMMUV3_OPCODE.tlbiEl2Asid) this.#wide++;
  }

  /**
   * Each unmap of a strict system is flushed, and with NpCache each mapping as well: there may be as few flushes for those as the DMA API
   * made calls, or as many as there are maps.
   */
  #lazyAmd(cachingMode: boolean): boolean {
    if (!cachingMode) return this.#flushes < LAZY_SHARE * this.#unmaps;
    if (this.#flushes - this.#maps >= LAZY_SHARE * this.#unmaps) return false;
    return this.#calls === 0 || this.#flushes - this.#calls < HALF * this.#unmaps;
  }

  traits(trace: Trace): InvTraits {
    const { header } = trace;
    const counts = [...this.#commands];
    const dialect = counts.indexOf(Math.max(...counts));
    // only emulators log decoded fields; QEMU's AMD IOMMU has NpCache
    const emulated = header.host.emulated === true || this.#decoded > 0;
    const cachingMode = dialect === DIALECT.virtio || (dialect === DIALECT.amd && emulated);
    const lazy =
      dialect === DIALECT.smmuv3 ? this.#wide > this.#byAddress : dialect === DIALECT.amd && this.#lazyAmd(cachingMode);
    return {
      context: {
        ...DEFAULT_CONTEXT,
        dialect,
        kernel: kernelOf(header.host.kernel),
        cachingMode,
        rangeInvalidation: this.#ranges > 0 || this.#byAddress === 0,
        el2: this.#el2 > 0,
        granuleShift: this.#granuleShift || DEFAULT_CONTEXT.granuleShift,
      },
      design: this.commands === 0 ? undefined : lazy ? 'linux-lazy' : 'linux-strict',
      unmanaged: lazy ? this.#paged : new Set(),
      flushEvents: false,
      rangeFlushes: false,
      waits: dialect !== DIALECT.virtio,
      commands: this.commands,
      interrupts: this.#interrupts,
      tagsBefore: [],
    };
  }
}

function changes(columns: { readonly origin: Int32Array; readonly domain: Int32Array }, count: number): number {
  let changing = 0;
  for (let i = 0; i < count; i++) {
    if (changesTables(columns.origin[i] ?? 0, columns.domain[i] ?? ABSENT)) changing++;
  }
  return changing;
}

/** `6.12.107-arm64` as 612; the default where the trace does not say. */
export function kernelOf(release: string | undefined): number {
  // 6.12.107
  const match = /^(\d+)\.(\d+)/.exec(release ?? '');
  return match === null ? DEFAULT_CONTEXT.kernel : Number(match[1]) * 100 + Number(match[2]);
}
