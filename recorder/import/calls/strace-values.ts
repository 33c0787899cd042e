import { FLAGS } from './linux-names.ts';
import { ZERO, parseHexWords, wordsOf } from './words.ts';
import type { Words } from './words.ts';

/** Brackets in brackets that are followed. */
const MAX_DEPTH = 64;

/** The arguments between the bracket at `open` and the one that closes it; undefined if it is never closed. */
export function splitArguments(text: string, open: number): { args: string[]; end: number } | undefined {
  const args: string[] = [];
  let depth = 0;
  let start = open + 1;
  for (let i = open; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      i = endOfString(text, i);
      if (i < 0) return undefined;
    } else if (c === '/' && text[i + 1] === '*') {
      const end = text.indexOf('*/', i + 2);
      if (end < 0) return undefined;
      i = end + 1;
    } else if (c === '<' && /[\d]/.test(text[i - 1] ?? '') && text[i + 1] !== '<') {
      // `3</dev/iommu>`: a path may hold any character, brackets too.
      const end = text.indexOf('>', i);
      if (end < 0) return undefined;
      i = end;
    } else if (c === '(' || c === '[' || c === '{') {
      if (++depth > MAX_DEPTH) return undefined;
    } else if (c === ')' || c === ']' || c === '}') {
      if (--depth === 0) {
        const last = text.slice(start, i).trim();
        if (last !== '' || args.length > 0) args.push(last);
        return { args, end: i + 1 };
      }
    } else if (c === ',' && depth === 1) {
      args.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '"') return i;
  }
  return -1;
}

/**
 * The number of `0x3 /* PROT_READ|PROT_WRITE *\/`, `-100`, `NULL`, `0644`, `3</dev/iommu>`, `MAP_SHARED|MAP_ANONYMOUS`;
 * undefined for what is no number: a text, a struct, an unknown name.
 */
export function parseNumber(argument: string): Words | undefined {
  const text = argument.replace(/ ?\/\*.*$/s, '').replace(/^(-?\d+)<[^<].*$/s, '$1');
  if (text === 'NULL') return ZERO;
  if (/^0[xX][0-9a-fA-F]{1,16}$/.test(text)) return parseHexWords(text);
  if (/^0[0-7]{1,21}$/.test(text)) return safe(Number.parseInt(text, 8));
  if (/^-?\d{1,20}$/.test(text)) return decimal(text);
  return symbols(text);
}

function safe(value: number): Words | undefined {
  return Number.isSafeInteger(value) ? wordsOf(value) : undefined;
}

function decimal(text: string): Words {
  const value = BigInt(text);
  return { lo: Number(BigInt.asIntN(32, value)), hi: Number(BigInt.asIntN(32, value >> 32n)) };
}

/** `PROT_READ|PROT_WRITE|0x10`, `21<<MAP_HUGE_SHIFT` (26). */
function symbols(text: string): Words | undefined {
  let sum = 0;
  for (const part of text.split('|')) {
    const shift = /^(\d{1,2})<<MAP_HUGE_SHIFT$/.exec(part);
    const number = /^0x[0-9a-f]{1,8}$/.test(part) ? Number(part) : FLAGS.get(part);
    if (shift !== null) sum |= Number(shift[1]) << 26;
    else if (number === undefined) return undefined;
    else sum |= number;
  }
  return wordsOf(sum);
}

/** Path of `3</dev/iommu>` (strace -y, -yy); undefined where there is none. */
export function annotatedPath(argument: string): string | undefined {
  return /^-?\d+<(.*?)>?(?:\(deleted\))?$/s.exec(argument)?.[1];
}

/** The bytes of `"\3\0ab"...`; undefined for what is no text. */
export function parseString(argument: string): Uint8Array | undefined {
  if (!argument.startsWith('"')) return undefined;
  const end = endOfString(argument, 0);
  if (end < 0) return undefined;
  const bytes: number[] = [];
  for (let i = 1; i < end; i++) {
    const c = argument.charCodeAt(i);
    if (c !== 0x5c) {
      bytes.push(c & 0xff);
      continue;
    }
    const escape = /\\(?:x([0-9a-f]{2})|([0-7]{1,3})|(.))/sy;
    escape.lastIndex = i;
    const match = escape.exec(argument);
    if (match === null) return undefined;
    const [all, hex, octal, letter = ''] = match;
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 0xff);
    else bytes.push(ESCAPES.get(letter) ?? letter.charCodeAt(0) & 0xff);
    i += all.length - 1;
  }
  return Uint8Array.from(bytes);
}

const ESCAPES: ReadonlyMap<string, number> = new Map([
  ['n', 10],
  ['t', 9],
  ['r', 13],
  ['v', 11],
  ['f', 12],
  ['a', 7],
  ['b', 8],
]);
