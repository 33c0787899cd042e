import { DIALECT } from '../schema.ts';
import { formatRequester, highWord, lowWord } from '../units.ts';
import type { CommandDialect } from './dialect.ts';
import { VTD_TYPE, VTD_TYPE_NAMES, sizeCodeOrder, vtdType } from './vtd-fields.ts';
import { bit, bits, field, flag, hex } from './word-bits.ts';

/**
 * Intel VT-d queued invalidation, all descriptor types (VT-d spec 6.5.2; drivers/iommu/intel/iommu.h). Descriptors have two
 * words, or four in scalable mode of which the last two are 0.
 */

interface Problems {
  readonly problems: readonly string[];
}

/** `granularity` is the raw field: 1 global, 2 domain, 3 device; 0 is reserved. `functionMask` as in the descriptor. */
export interface VtdContext extends Problems {
  readonly type: 'context';
  readonly granularity: number;
  readonly domain: number;
  readonly sid: number;
  readonly functionMask: number;
}

/** Granularity 1 global, 2 domain, 3 page. `address` is that of the first page; 2^`mask` pages. */
export interface VtdIotlb extends Problems {
  readonly type: 'iotlb';
  readonly granularity: number;
  readonly domain: number;
  readonly drainReads: boolean;
  readonly drainWrites: boolean;
  readonly address: bigint;
  readonly mask: number;
  readonly leafOnly: boolean;
}

/** `address` with its size code in the low bits, exactly as the descriptor has it; `order` is derived: log2 of pages, 53: all. */
export interface VtdDeviceTlb extends Problems {
  readonly type: 'devtlb';
  readonly sid: number;
  readonly pfsid: number;
  readonly queueDepth: number;
  readonly size: boolean;
  readonly address: bigint;
  readonly order: number;
}

export interface VtdInterrupt extends Problems {
  readonly type: 'iec';
  readonly indexed: boolean;
  readonly mask: number;
  readonly index: number;
}

/** `status` is written at `statusAddress` when `write` is set. */
export interface VtdWait extends Problems {
  readonly type: 'wait';
  readonly interrupt: boolean;
  readonly write: boolean;
  readonly fence: boolean;
  readonly pageRequestDrain: boolean;
  readonly status: number;
  readonly statusAddress: bigint;
}

/** Granularity 2 all of the PASID, 3 pages. */
export interface VtdPasidIotlb extends Problems {
  readonly type: 'pasid-iotlb';
  readonly granularity: number;
  readonly domain: number;
  readonly pasid: number;
  readonly address: bigint;
  readonly mask: number;
  readonly leafOnly: boolean;
}

/** Granularity 0 all PASIDs of the domain, 1 one PASID, 3 global. */
export interface VtdPasidCache extends Problems {
  readonly type: 'pasid-cache';
  readonly granularity: number;
  readonly domain: number;
  readonly pasid: number;
}

export interface VtdPasidDeviceTlb extends Problems {
  readonly type: 'pasid-devtlb';
  readonly sid: number;
  readonly pfsid: number;
  readonly queueDepth: number;
  readonly pasid: number;
  readonly global: boolean;
  readonly size: boolean;
  readonly address: bigint;
  readonly order: number;
}

/** `code` 0 success, 1 invalid request, 15 response failure. */
export interface VtdPageResponse extends Problems {
  readonly type: 'page-response';
  readonly pasidPresent: boolean;
  readonly code: number;
  readonly rid: number;
  readonly pasid: number;
  readonly group: number;
}

/** Types without a layout of their own: the old stream response, and what the spec does not define. */
export interface VtdOpaque extends Problems {
  readonly type: 'stream-response' | 'undefined';
  readonly words: readonly bigint[];
}

/** A descriptor of the invalidation queue. */
export type VtdCommand =
  | VtdContext
  | VtdIotlb
  | VtdDeviceTlb
  | VtdInterrupt
  | VtdWait
  | VtdPasidIotlb
  | VtdPasidCache
  | VtdPasidDeviceTlb
  | VtdPageResponse
  | VtdOpaque;

const ADDRESS = 0xffff_ffff_ffff_f000n;

/** Bits that mean something, by type: [first word, second word]. */
const DEFINED: readonly (readonly [bigint, bigint])[] = [
  [0n, 0n],
  [0x0003_ffff_ffff_003fn, 0n],
  [0x0000_0000_ffff_00ffn, ADDRESS | 0x7fn],
  [0xfff0_ffff_001f_f00fn, ADDRESS | 1n],
  [0x0000_ffff_f800_001fn, 0n],
  [0xffff_ffff_0000_00ffn, ~3n & 0xffff_ffff_ffff_ffffn],
  [0x000f_ffff_ffff_003fn, ADDRESS | 0x7fn],
  [0x000f_ffff_ffff_003fn, 0n],
  [0xffff_ffff_ffff_f1ffn, ADDRESS | 0x801n],
  [0x000f_ffff_ffff_f01fn, 0xff8n],
  [0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn],
];

function page(address: bigint): bigint {
  if (address < 0n || address > ADDRESS || (address & 0xfffn) !== 0n) {
    throw new RangeError(`address 0x${address.toString(16)} is not that of a 4 KiB page`);
  }
  return address;
}

/** Pages of the whole address space, as an address mask: 2^64 bytes. What a unit takes at most is in its CAP.MAMV. */
const LARGEST_MASK = 52;

function checkMask(mask: number, problems: string[]): void {
  if (mask > LARGEST_MASK) problems.push(`mask ${mask} is more than any address space`);
}

function decode(words: readonly bigint[]): VtdCommand {
  const w0 = BigInt.asUintN(64, words[0] ?? 0n);
  const w1 = BigInt.asUintN(64, words[1] ?? 0n);
  const type = vtdType(lowWord(w0));
  const problems: string[] = [];
  const [defined0 = 0n, defined1 = 0n] = DEFINED[type] ?? [];
  if (type !== 0) {
    const [reserved0, reserved1] = [w0 & ~defined0, w1 & ~defined1];
    if (reserved0 !== 0n) problems.push(`reserved bits 0x${reserved0.toString(16)} in word 0`);
    if (reserved1 !== 0n) problems.push(`reserved bits 0x${reserved1.toString(16)} in word 1`);
    for (let i = 2; i < words.length; i++) {
      if (words[i] !== 0n)
        problems.push(`reserved bits 0x${BigInt.asUintN(64, words[i] ?? 0n).toString(16)} in word ${i}`);
    }
  }
  const granularity = bits(w0, 5, 4);
  const undefinedGranularity = (): void => void problems.push(`undefined granularity ${granularity}`);
  const domain = bits(w0, 31, 16);
  const pasid = bits(w0, 51, 32);
  const address = w1 & ADDRESS;
  switch (type) {
    case VTD_TYPE.context:
      if (granularity === 0) undefinedGranularity();
      return { type: 'context', granularity, domain, sid: bits(w0, 47, 32), functionMask: bits(w0, 49, 48), problems };
    case VTD_TYPE.iotlb:
      if (granularity === 0) undefinedGranularity();
      if (granularity === 3) checkMask(bits(w1, 5, 0), problems);
      return {
        type: 'iotlb',
        granularity,
        domain,
        drainReads: bit(w0, 7),
        drainWrites: bit(w0, 6),
        address,
        mask: bits(w1, 5, 0),
        leafOnly: bit(w1, 6),
        problems,
      };
    case VTD_TYPE.deviceTlb:
      return {
        type: 'devtlb',
        sid: bits(w0, 47, 32),
        pfsid: bits(w0, 15, 12) | (bits(w0, 63, 52) << 4),
        queueDepth: bits(w0, 20, 16),
        size: bit(w1, 0),
        address,
        order: sizeCodeOrder(bit(w1, 0), lowWord(w1), highWord(w1)),
        problems,
      };
    case VTD_TYPE.interrupt:
      return { type: 'iec', indexed: bit(w0, 4), mask: bits(w0, 31, 27), index: bits(w0, 47, 32), problems };
    case VTD_TYPE.wait:
      return {
        type: 'wait',
        interrupt: bit(w0, 4),
        write: bit(w0, 5),
        fence: bit(w0, 6),
        pageRequestDrain: bit(w0, 7),
        status: bits(w0, 63, 32),
        statusAddress: w1 & ~3n,
        problems,
      };
    case VTD_TYPE.pasidIotlb:
      if (granularity < 2) undefinedGranularity();
      if (granularity === 3) checkMask(bits(w1, 5, 0), problems);
      return {
        type: 'pasid-iotlb',
        granularity,
        domain,
        pasid,
        address,
        mask: bits(w1, 5, 0),
        leafOnly: bit(w1, 6),
        problems,
      };
    case VTD_TYPE.pasidCache:
      if (granularity === 2) undefinedGranularity();
      return { type: 'pasid-cache', granularity, domain, pasid, problems };
    case VTD_TYPE.pasidDeviceTlb:
      return {
        type: 'pasid-devtlb',
        sid: domain,
        pfsid: bits(w0, 15, 12) | (bits(w0, 63, 52) << 4),
        queueDepth: bits(w0, 8, 4),
        pasid,
        global: bit(w1, 0),
        size: bit(w1, 11),
        address,
        order: sizeCodeOrder(bit(w1, 11), lowWord(w1), highWord(w1)),
        problems,
      };
    case VTD_TYPE.pageResponse:
      return {
        type: 'page-response',
        pasidPresent: bit(w0, 4),
        code: bits(w0, 15, 12),
        rid: domain,
        pasid,
        group: bits(w1, 11, 3),
        problems,
      };
    case VTD_TYPE.streamResponse:
      return { type: 'stream-response', words: [w0, w1], problems };
    default:
      problems.push(`undefined type ${bits(w0, 3, 0) | (bits(w0, 11, 9) << 4)}`);
      return { type: 'undefined', words: [w0, w1], problems };
  }
}

function encode(command: VtdCommand): bigint[] {
  switch (command.type) {
    case 'context':
      return [
        1n |
          field('granularity', command.granularity, 5, 4) |
          field('domain', command.domain, 31, 16) |
          field('sid', command.sid, 47, 32) |
          field('functionMask', command.functionMask, 49, 48),
        0n,
      ];
    case 'iotlb':
      return [
        2n |
          field('granularity', command.granularity, 5, 4) |
          flag(command.drainWrites, 6) |
          flag(command.drainReads, 7) |
          field('domain', command.domain, 31, 16),
        field('mask', command.mask, 5, 0) | flag(command.leafOnly, 6) | page(command.address),
      ];
    case 'devtlb':
      return [
        3n |
          field('pfsid', command.pfsid & 0xf, 15, 12) |
          field('queueDepth', command.queueDepth, 20, 16) |
          field('sid', command.sid, 47, 32) |
          field('pfsid', command.pfsid >>> 4, 63, 52),
        flag(command.size, 0) | page(command.address),
      ];
    case 'iec':
      return [
        4n | flag(command.indexed, 4) | field('mask', command.mask, 31, 27) | field('index', command.index, 47, 32),
        0n,
      ];
    case 'wait': {
      if ((command.statusAddress & 3n) !== 0n) throw new RangeError('a status address is a multiple of 4');
      return [
        5n |
          flag(command.interrupt, 4) |
          flag(command.write, 5) |
          flag(command.fence, 6) |
          flag(command.pageRequestDrain, 7) |
          field('status', command.status, 63, 32),
        BigInt.asUintN(64, command.statusAddress),
      ];
    }
    case 'pasid-iotlb':
      return [
        6n |
          field('granularity', command.granularity, 5, 4) |
          field('domain', command.domain, 31, 16) |
          field('pasid', command.pasid, 51, 32),
        field('mask', command.mask, 5, 0) | flag(command.leafOnly, 6) | page(command.address),
      ];
    case 'pasid-cache':
      return [
        7n |
          field('granularity', command.granularity, 5, 4) |
          field('domain', command.domain, 31, 16) |
          field('pasid', command.pasid, 51, 32),
        0n,
      ];
    case 'pasid-devtlb':
      return [
        8n |
          field('queueDepth', command.queueDepth, 8, 4) |
          field('pfsid', command.pfsid & 0xf, 15, 12) |
          field('sid', command.sid, 31, 16) |
          field('pasid', command.pasid, 51, 32) |
          field('pfsid', command.pfsid >>> 4, 63, 52),
        flag(command.global, 0) | flag(command.size, 11) | page(command.address),
      ];
    case 'page-response':
      return [
        9n |
          flag(command.pasidPresent, 4) |
          field('code', command.code, 15, 12) |
          field('rid', command.rid, 31, 16) |
          field('pasid', command.pasid, 51, 32),
        field('group', command.group, 11, 3),
      ];
    default:
      return [...command.words];
  }
}

const pages = (order: number): string => (order >= 52 ? 'everything' : `pages ${2 ** order}`);

/** First address of a device-TLB range: the size code's bits are no part of it. */
function rangeStart(address: bigint, order: number): bigint {
  return order >= 52 ? 0n : address & ~((1n << BigInt(order + 12)) - 1n);
}

function drains(command: VtdIotlb): string {
  if (command.drainReads && command.drainWrites) return ' drain';
  return command.drainReads ? ' drain-reads' : command.drainWrites ? ' drain-writes' : '';
}

function text(command: VtdCommand): string {
  switch (command.type) {
    case 'context': {
      const scope = ['?', 'global', 'domain', 'device'][command.granularity] ?? '?';
      const domain = command.granularity >= 2 ? ` did ${command.domain}` : '';
      const device = command.granularity === 3 ? ` sid ${formatRequester(command.sid)} fm ${command.functionMask}` : '';
      return `context ${scope}${domain}${device}`;
    }
    case 'iotlb': {
      const scope = ['?', 'global', 'domain', 'page'][command.granularity] ?? '?';
      const domain = command.granularity >= 2 ? ` did ${command.domain}` : '';
      const range = command.granularity === 3 ? ` addr ${hex(command.address)} mask ${command.mask}` : '';
      const hint = command.leafOnly ? ' ih' : '';
      return `iotlb ${scope}${domain}${range}${hint}${drains(command)}`;
    }
    case 'devtlb':
      return `devtlb sid ${formatRequester(command.sid)} addr ${hex(rangeStart(command.address, command.order))} ${pages(command.order)} qdep ${command.queueDepth}`;
    case 'iec':
      return command.indexed ? `iec index ${command.index} mask ${command.mask}` : 'iec global';
    case 'wait': {
      const status = command.write ? ` status ${hex(command.status)} at ${hex(command.statusAddress)}` : '';
      const bitsSet = `${command.interrupt ? ' interrupt' : ''}${command.fence ? ' fence' : ''}`;
      return `wait${status}${bitsSet}${command.pageRequestDrain ? ' drain-page-requests' : ''}`;
    }
    case 'pasid-iotlb': {
      const scope = ['?', '?', 'pasid', 'page'][command.granularity] ?? '?';
      const range = command.granularity === 3 ? ` addr ${hex(command.address)} mask ${command.mask}` : '';
      return `pasid-iotlb ${scope} did ${command.domain} pasid ${command.pasid}${range}${command.leafOnly ? ' ih' : ''}`;
    }
    case 'pasid-cache': {
      const scope = ['domain', 'pasid', '?', 'global'][command.granularity] ?? '?';
      const domain = command.granularity === 3 ? '' : ` did ${command.domain}`;
      return `pasid-cache ${scope}${domain}${command.granularity === 1 ? ` pasid ${command.pasid}` : ''}`;
    }
    case 'pasid-devtlb':
      return `pasid-devtlb sid ${formatRequester(command.sid)} ${command.global ? 'all pasids' : `pasid ${command.pasid}`} addr ${hex(rangeStart(command.address, command.order))} ${pages(command.order)} qdep ${command.queueDepth}`;
    case 'page-response': {
      const code = { 0: 'success', 1: 'invalid', 15: 'failure' }[command.code] ?? `code ${command.code}`;
      const pasid = command.pasidPresent ? ` pasid ${command.pasid}` : '';
      return `page-response rid ${formatRequester(command.rid)}${pasid} group ${command.group} ${code}`;
    }
    default:
      return `${command.type} ${command.words.map(hex).join(' ')}`;
  }
}

function disassemble(words: readonly bigint[]): string {
  const command = decode(words);
  return command.problems.length === 0 ? text(command) : `${text(command)}; ${command.problems.join(', ')}`;
}

/** Intel VT-d: queued invalidation. */
export const vtdDialect: CommandDialect<VtdCommand> = {
  name: 'vtd',
  id: DIALECT.vtd,
  words: 4,
  typeNames: VTD_TYPE_NAMES,
  completion: VTD_TYPE.wait,
  deviceTlb: [VTD_TYPE.deviceTlb, VTD_TYPE.pasidDeviceTlb],
  typeNumber: vtdType,
  encode,
  decode,
  disassemble,
};
