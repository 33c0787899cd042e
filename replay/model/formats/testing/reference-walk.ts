/**
 * A slow walk over raw table memory by the words of the specifications alone, for tests: BigInt throughout, and nothing of
 * the tables' own code. A format is known by its name only.
 */

/** What a specification's walk finds for one address. */
export interface ReferenceLeaf {
  readonly address: bigint;
  /** log2 of the leaf's bytes. */
  readonly sizeBits: number;
  readonly read: boolean;
  readonly write: boolean;
  readonly accessed: boolean;
  /** Of any entry of the leaf. */
  readonly dirty: boolean;
  readonly reads: number;
}

/** Memory as the hardware reads it: 64-bit words by physical address. */
export type ReadWord = (address: bigint) => bigint;

interface Entry {
  readonly kind: 'leaf' | 'table';
  /** Of a table, or of a leaf's first byte. */
  readonly address: bigint;
  /** log2 of a leaf's bytes. */
  readonly sizeBits?: number;
  readonly read: boolean;
  readonly write: boolean;
  readonly accessed?: boolean;
  readonly dirty?: boolean;
}

interface Architecture {
  readonly granuleBits: number;
  readonly indexBits: number;
  readonly inputBits: number;
  readonly signExtended: boolean;
  /** Undefined for an entry that is not present. */
  readonly decode: (word: bigint, level: number) => Entry | undefined;
}

const bit = (word: bigint, at: number): boolean => ((word >> BigInt(at)) & 1n) === 1n;
const field = (word: bigint, high: number, low: number): bigint =>
  (word >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);

/** Walks `levels` tables from `root`; undefined where the address isn't mapped or isn't one that the format translates. */
export function referenceWalk(
  name: string,
  levels: number,
  root: bigint,
  read: ReadWord,
  address: bigint,
): ReferenceLeaf | undefined {
  const architecture = architectureOf(name);
  const { granuleBits, indexBits, inputBits, signExtended, decode } = architecture;
  const upper = address >> BigInt(signExtended ? inputBits - 1 : inputBits);
  const ones = (1n << BigInt(64 - inputBits + 1)) - 1n;
  if (upper !== 0n && !(signExtended && upper === ones)) return undefined;
  const inside = address & ((1n << BigInt(inputBits)) - 1n);
  const shift = (level: number): bigint => BigInt(granuleBits + indexBits * level);
  // a root that isn't the format's highest table covers no more than its own entries
  if (name.startsWith('amd-v1') && inside >> shift(levels) !== 0n) return undefined;
  let table = root;
  let canRead = true;
  let canWrite = true;
  for (let level = levels - 1; level >= 0; level--) {
    const index =
      level === levels - 1 ? inside >> shift(level) : (inside >> shift(level)) & ((1n << BigInt(indexBits)) - 1n);
    const entry = decode(read(table + index * 8n), level);
    if (entry === undefined) return undefined;
    canRead &&= entry.read;
    canWrite &&= entry.write;
    if (entry.kind === 'table') {
      table = entry.address;
      continue;
    }
    const sizeBits = entry.sizeBits ?? 0;
    const entries = 1n << (BigInt(sizeBits) - shift(level));
    const first = index - (index % entries);
    let dirty = false;
    let accessed = false;
    for (let i = first; i < first + entries; i++) {
      const other = decode(read(table + i * 8n), level);
      dirty ||= other?.dirty === true;
      accessed ||= other?.accessed === true;
    }
    const offset = inside & ((1n << BigInt(sizeBits)) - 1n);
    return {
      address: entry.address + offset,
      sizeBits,
      read: canRead,
      write: canWrite,
      accessed,
      dirty,
      reads: levels - level,
    };
  }
  return undefined;
}

function architectureOf(name: string): Architecture {
  if (name.startsWith('vtd-second-stage-')) return vtdSecondStage(Number(name.slice(17)));
  if (name.startsWith('vtd-first-stage-')) return x86(Number(name.slice(16)), true);
  if (name.startsWith('amd-v2-')) return x86(Number(name.slice(7)), false);
  if (name.startsWith('amd-v1')) return amdV1(name.endsWith('-2k') ? 11 : 12);
  if (name.startsWith('riscv-sv')) return riscv(Number(name.slice(8, 10)));
  const arm = /^arm-s([12])-(4|16|64)k-(\d+)(?:-(\d+))?-\dl/.exec(name);
  if (arm === null) throw new Error(`no reference for the table format ${name}`);
  return lpae(Number(arm[1]), Number(arm[2]), Number(arm[3]), Number(arm[4] ?? arm[3]));
}

/** VT-d spec, table of second-stage paging entries: R 0, W 1, PS 7, A 8, D 9, address 51:12. */
function vtdSecondStage(inputBits: number): Architecture {
  return {
    granuleBits: 12,
    indexBits: 9,
    inputBits,
    signExtended: false,
    decode(word, level) {
      if (!bit(word, 0) && !bit(word, 1)) return undefined;
      const kind = level === 0 || bit(word, 7) ? 'leaf' : 'table';
      const address = field(word, 51, 12) << 12n;
      const sizeBits = 12 + 9 * level;
      return {
        kind,
        address,
        sizeBits,
        read: bit(word, 0),
        write: bit(word, 1),
        accessed: bit(word, 8),
        dirty: bit(word, 9),
      };
    },
  };
}

/** Intel SDM 3A, 4.5: P 0, RW 1, A 5, D 6, PS 7, address 51:12. */
function x86(inputBits: number, signExtended: boolean): Architecture {
  return {
    granuleBits: 12,
    indexBits: 9,
    inputBits,
    signExtended,
    decode(word, level) {
      if (!bit(word, 0)) return undefined;
      const kind = level === 0 || bit(word, 7) ? 'leaf' : 'table';
      const address = field(word, 51, 12) << 12n;
      const sizeBits = 12 + 9 * level;
      return { kind, address, sizeBits, read: true, write: bit(word, 1), accessed: bit(word, 5), dirty: bit(word, 6) };
    },
  };
}

/** AMD IOMMU spec 2.2.3: PR 0, A 5, D 6, NextLevel 11:9, IR 61, IW 62; the first zero of a size-7 address tells its size. */
function amdV1(granuleBits: number): Architecture {
  return {
    granuleBits,
    indexBits: 9,
    inputBits: granuleBits === 12 ? 64 : 56,
    signExtended: false,
    decode(word, level) {
      if (!bit(word, 0)) return undefined;
      const nextLevel = Number(field(word, 11, 9));
      const access = { read: bit(word, 61), write: bit(word, 62), accessed: bit(word, 5), dirty: bit(word, 6) };
      const page = field(word, 51, 12);
      if (level > 0 && nextLevel !== 0 && nextLevel !== 7) {
        return { kind: 'table', address: page << BigInt(granuleBits), ...access };
      }
      if (nextLevel !== 7) {
        return { kind: 'leaf', address: page << BigInt(granuleBits), sizeBits: granuleBits + 9 * level, ...access };
      }
      let ones = 0;
      while (((page >> BigInt(ones)) & 1n) === 1n) ones++;
      const sizeBits = granuleBits + 1 + ones;
      const address = ((page << BigInt(granuleBits)) >> BigInt(sizeBits)) << BigInt(sizeBits);
      return { kind: 'leaf', address, sizeBits, ...access };
    },
  };
}

/** RISC-V privileged spec 12.4.1: V 0, R 1, W 2, X 3, A 6, D 7, PPN 53:10, N 63 with PPN[3:0] = 1000 for 64 KiB. */
function riscv(inputBits: number): Architecture {
  return {
    granuleBits: 12,
    indexBits: 9,
    inputBits,
    signExtended: true,
    decode(word, level) {
      if (!bit(word, 0)) return undefined;
      const ppn = field(word, 53, 10);
      if (!bit(word, 1) && !bit(word, 2) && !bit(word, 3))
        return { kind: 'table', address: ppn << 12n, read: true, write: true };
      const access = { read: bit(word, 1), write: bit(word, 2), accessed: bit(word, 6), dirty: bit(word, 7) };
      if (!bit(word, 63)) return { kind: 'leaf', address: ppn << 12n, sizeBits: 12 + 9 * level, ...access };
      if (level !== 0 || (ppn & 0xfn) !== 0b1000n) return undefined;
      return { kind: 'leaf', address: (ppn & ~0xfn) << 12n, sizeBits: 16, ...access };
    },
  };
}

/** Arm ARM D8.3: type 1:0, AP or S2AP 7:6, AF 10, address 47:granule (51:48 in 15:12), DBM 51, contiguous 52, APTable 62:61. */
function lpae(stage: number, granule: number, inputBits: number, outputBits: number): Architecture {
  const granuleBits = granule === 4 ? 12 : granule === 16 ? 14 : 16;
  const indexBits = granuleBits - 3;
  // entries under one contiguous hint at Arm's levels 3, 2 and 1
  const hinted = granule === 4 ? [16, 16, 16] : granule === 16 ? [128, 32, 1] : [32, 32, 1];
  return {
    granuleBits,
    indexBits,
    inputBits,
    signExtended: false,
    decode(word, level) {
      if (!bit(word, 0)) return undefined;
      let address = field(word, 47, granuleBits) << BigInt(granuleBits);
      if (granule === 64 && outputBits === 52) address |= field(word, 15, 12) << 48n;
      if (level > 0 && bit(word, 1)) {
        return { kind: 'table', address, read: true, write: stage === 2 || !bit(word, 62) };
      }
      // a block's type where only pages are
      if (level === 0 && !bit(word, 1)) return undefined;
      const dbm = bit(word, 51);
      const read = stage === 1 || bit(word, 6);
      const write = dbm || (stage === 1 ? !bit(word, 7) : bit(word, 7));
      const dirty = dbm && (stage === 1 ? !bit(word, 7) : bit(word, 7));
      const itemBits = granuleBits + indexBits * level;
      const sizeBits = itemBits + (bit(word, 52) ? Math.log2(hinted[level] ?? 1) : 0);
      address = (address >> BigInt(sizeBits)) << BigInt(sizeBits);
      return { kind: 'leaf', address, sizeBits, read, write, accessed: bit(word, 10), dirty };
    },
  };
}
