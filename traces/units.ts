/** Nanoseconds since the trace's own epoch (`TraceHeader.clock.epochNs`); an exact integer below 2^53. */
export type Nanoseconds = number;
/** A 4 KiB page number: address >> 12. Fits 52 bits, so it is exact in a double. */
export type PageNumber = number;
/** An IOMMU domain id as the hardware tags its caches with it (VT-d DID, AMD DomainID, ...). */
export type DomainId = number;
/** A PCI requester id: segment << 16 | bus << 8 | device << 3 | function. */
export type RequesterId = number;

/** Column value of a 32-bit field that the source did not give. */
export const ABSENT = -1;

/** Joins the two int32 words of a 64-bit column into an exact BigInt. Not for hot loops. */
export function joinWords(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** Low int32 word of a 64-bit value. */
export function lowWord(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

/** High int32 word of a 64-bit value. */
export function highWord(value: bigint): number {
  return Number(BigInt.asIntN(32, value >> 32n));
}

/** Page number of a 64-bit address held as two int32 words; exact (52 bits). */
export function pageNumber(lo: number, hi: number): PageNumber {
  return (hi >>> 0) * 0x100000 + (lo >>> 12);
}

/** `0000:00:04.0` for a requester id; `-` where it is absent. */
export function formatRequester(rid: RequesterId): string {
  if (rid === ABSENT) return '-';
  const segment = (rid >>> 16).toString(16).padStart(4, '0');
  const bus = ((rid >>> 8) & 0xff).toString(16).padStart(2, '0');
  const device = ((rid >>> 3) & 0x1f).toString(16).padStart(2, '0');
  return `${segment}:${bus}:${device}.${rid & 7}`;
}

/**
 * Requester id of `0000:00:04.0`, `00:04.0` or `00:04.00` (QEMU prints the function with two digits).
 * Returns `ABSENT` for any other text.
 */
export function parseRequester(text: string): RequesterId {
  const match = /^(?:([0-9a-f]{4}):)?([0-9a-f]{2}):([0-9a-f]{2})\.0?([0-7])$/i.exec(text);
  if (match === null) return ABSENT;
  const [, segment = '0', bus = '0', device = '0', fn = '0'] = match;
  const slot = Number.parseInt(device, 16);
  if (slot > 31) return ABSENT;
  return (Number.parseInt(segment, 16) << 16) | (Number.parseInt(bus, 16) << 8) | (slot << 3) | Number.parseInt(fn, 16);
}
