import type { ByteSource } from './bytes-io.ts';
import {
  FRAME,
  FRAME_HEADER_BYTES,
  MAGIC,
  TRAILER_BYTES,
  decodePayload,
  findMarker,
  parseFrameHeader,
  parseTrailer,
} from './frame.ts';
import { MAX_FRAMES } from './limits.ts';
import { checkCount, readSummary } from './segment-frame.ts';
import type { SegmentSummary } from './segment-frame.ts';

/** Where everything is in a file: from its footer, or found by reading it from front to back. */
export interface FileIndex {
  readonly header: Readonly<Record<string, unknown>> | undefined;
  readonly segments: readonly (SegmentSummary & { readonly offset: number })[];
  readonly stringFrames: readonly number[];
  /** The footer's content; undefined where the file was not closed or its footer is damaged. */
  readonly footer: Readonly<Record<string, unknown>> | undefined;
  /** Bytes that belong to no frame, with where they begin. */
  readonly gaps: readonly { readonly offset: number; readonly bytes: number }[];
}

export type FrameContent = { readonly content: readonly unknown[]; readonly end: number };

/** The frame at an offset, or undefined where there is none or it is damaged. */
export function readFrame(source: ByteSource, offset: number): FrameContent | undefined {
  if (offset < 0 || offset + FRAME_HEADER_BYTES > source.size) return undefined;
  const header = parseFrameHeader(source.read(offset, FRAME_HEADER_BYTES));
  if (header === undefined || offset + FRAME_HEADER_BYTES + header.length > source.size) return undefined;
  const payload = source.read(offset + FRAME_HEADER_BYTES, header.length);
  if (payload.length !== header.length) return undefined;
  const content = decodePayload(payload, header.checksum);
  return content === undefined ? undefined : { content, end: offset + FRAME_HEADER_BYTES + header.length };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

/** The index that the footer holds, or undefined where the file must be scanned. */
export function indexFromFooter(source: ByteSource): FileIndex | undefined {
  if (source.size < MAGIC.length + TRAILER_BYTES) return undefined;
  const footerOffset = parseTrailer(source.read(source.size - TRAILER_BYTES, TRAILER_BYTES).slice());
  if (footerOffset === undefined) return undefined;
  const footer = readFrame(source, footerOffset);
  if (footer === undefined || footer.content[0] !== FRAME.footer) return undefined;
  const fields = fieldsOf(footer.content[1]);
  const header = readFrame(source, MAGIC.length);
  if (fields === undefined || header === undefined || header.content[0] !== FRAME.header) return undefined;
  const list = fields['index'];
  const strings = fields['strings'];
  if (!Array.isArray(list) || !Array.isArray(strings) || list.length > MAX_FRAMES) return undefined;
  const segments = segmentsOf(list);
  if (segments === undefined || !ascend(segments.map(({ offset }) => offset)) || !ascend(strings)) return undefined;
  return { header: fieldsOf(header.content[1]), segments, stringFrames: strings, footer: fields, gaps: [] };
}

/** The footer's lines, or undefined where one of them can't be that of a segment. */
function segmentsOf(list: readonly unknown[]): (SegmentSummary & { offset: number })[] | undefined {
  const segments: (SegmentSummary & { offset: number })[] = [];
  try {
    for (const entry of list) {
      if (!Array.isArray(entry)) return undefined;
      const [offset, ...summary] = entry as unknown[];
      segments.push({
        offset: checkCount(offset, Number.MAX_SAFE_INTEGER, 'offset'),
        ...readSummary([FRAME.segment, ...summary]),
      });
    }
  } catch {
    return undefined;
  }
  return segments;
}

/** True for offsets of frames that follow each other: none is read twice, so that a small file can't take for ever. */
function ascend(offsets: readonly unknown[]): offsets is readonly number[] {
  let end = MAGIC.length;
  for (const offset of offsets) {
    if (typeof offset !== 'number' || !Number.isSafeInteger(offset) || offset < end) return false;
    end = offset + FRAME_HEADER_BYTES;
  }
  return true;
}

const SCAN_BYTES = 1 << 20;

function nextMarker(source: ByteSource, from: number): number {
  for (let at = from; at < source.size; at += SCAN_BYTES - 3) {
    const found = findMarker(source.read(at, SCAN_BYTES), 0);
    if (found >= 0) return at + found;
  }
  return source.size;
}

/** Finds every whole frame from front to back, over damage. */
export function scanIndex(source: ByteSource): FileIndex {
  let header: Readonly<Record<string, unknown>> | undefined;
  let footer: Readonly<Record<string, unknown>> | undefined;
  const segments: (SegmentSummary & { offset: number })[] = [];
  const stringFrames: number[] = [];
  const gaps: { offset: number; bytes: number }[] = [];
  let at = MAGIC.length;
  while (at < source.size && segments.length < MAX_FRAMES) {
    const frame = readFrame(source, at);
    if (frame === undefined) {
      const rest = source.size - at;
      if (rest === TRAILER_BYTES && parseTrailer(source.read(at, TRAILER_BYTES).slice()) !== undefined) break;
      const next = nextMarker(source, at + 1);
      const last = gaps.at(-1);
      if (last !== undefined && last.offset + last.bytes === at) last.bytes += next - at;
      else gaps.push({ offset: at, bytes: next - at });
      at = next;
      continue;
    }
    const { content } = frame;
    if (content[0] === FRAME.header) header ??= fieldsOf(content[1]);
    else if (content[0] === FRAME.strings) stringFrames.push(at);
    else if (content[0] === FRAME.footer) footer = fieldsOf(content[1]);
    else if (content[0] === FRAME.segment) {
      try {
        segments.push({ offset: at, ...readSummary(content) });
      } catch {
        gaps.push({ offset: at, bytes: frame.end - at });
      }
    }
    at = frame.end;
  }
  return { header, segments, stringFrames, footer, gaps };
}
