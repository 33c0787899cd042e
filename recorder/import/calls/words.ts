/** A 64-bit value as two int32 words. */
export interface Words {
  readonly lo: number;
  readonly hi: number;
}

export const ZERO: Words = { lo: 0, hi: 0 };

/** Of a safe integer; negative ones as two's complement. */
export function wordsOf(value: number): Words {
  return { lo: value | 0, hi: Math.floor(value / 4294967296) | 0 };
}

/** `0x3b85`, `0XFF` or without prefix: up to 16 hexadecimal digits. Undefined for any other text. */
export function parseHexWords(text: string): Words | undefined {
  const start = text.startsWith('0x') || text.startsWith('0X') ? 2 : 0;
  const digits = text.length - start;
  if (digits < 1 || digits > 16) return undefined;
  let lo = 0;
  let hi = 0;
  for (let i = start; i < text.length; i++) {
    const digit = hexDigit(text.charCodeAt(i));
    if (digit < 0) return undefined;
    hi = (hi << 4) | (lo >>> 28);
    lo = (lo << 4) | digit;
  }
  return { lo, hi };
}

/** Bytes of `48000000`; undefined where it is no even number of hexadecimal digits. */
export function parseHexBytes(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = hexDigit(text.charCodeAt(i * 2));
    const low = hexDigit(text.charCodeAt(i * 2 + 1));
    if (high < 0 || low < 0) return undefined;
    bytes[i] = (high << 4) | low;
  }
  return bytes;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
