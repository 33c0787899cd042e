/**
 * What the bytes of an `event` row mean: the text in its column `layout`. The first line is the byte order, `le` or `be`; then
 * a line a field, `OFFSET SIZE ELEMENT SHAPE FORM NAME`. Offsets are from the start of the bytes.
 *
 * - SHAPE `v`: a value of SIZE bytes. `a`: elements of ELEMENT bytes each, SIZE bytes together; up to the end where SIZE is 0.
 *   `d`: at OFFSET a u32 says where elements lie, in its low half the offset, in its high half the length in bytes. `r`: the
 *   same, but the offset counts from the end of the u32. (Documentation/trace/events.rst, `__data_loc`, `__rel_loc`)
 * - FORM `s` signed, `u` unsigned, `x` unsigned and shown in hexadecimal, `t` text that ends at the first NUL.
 *
 * A row without a layout holds text.
 */
export interface LayoutField {
  readonly offset: number;
  readonly size: number;
  /** Bytes of one element; `size` for a value. */
  readonly element: number;
  readonly shape: 'v' | 'a' | 'd' | 'r';
  readonly form: 's' | 'u' | 'x' | 't';
  readonly name: string;
}

export interface EventLayout {
  readonly littleEndian: boolean;
  readonly fields: readonly LayoutField[];
}

/** Numbers; texts, and numbers that are shown in hexadecimal or exceed 2^53, as strings; arrays of them. */
export type LayoutValue = number | string | readonly (number | string)[];

const MAX_FIELDS = 256;
const MAX_BYTES = 16 * 1024 * 1024;
/** Elements of an array that are shown. */
const MAX_ELEMENTS = 256;
// 24 4 4 v s prev_pid
const FIELD = /^(\d{1,8}) (\d{1,8}) (\d{1,8}) ([vadr]) ([suxt]) ([A-Za-z_]\w{0,127})$/;
const TEXT = new TextDecoder();

export function formatLayout({ littleEndian, fields }: EventLayout): string {
  const lines = fields.map(({ offset, size, element, shape, form, name }) =>
    [offset, size, element, shape, form, name].join(' '),
  );
  return [littleEndian ? 'le' : 'be', ...lines].join('\n');
}

/** Undefined for a text that is no layout. */
export function parseLayout(text: string): EventLayout | undefined {
  const [order, ...lines] = text.split('\n', MAX_FIELDS + 2);
  if ((order !== 'le' && order !== 'be') || lines.length > MAX_FIELDS) return undefined;
  const fields: LayoutField[] = [];
  for (const line of lines) {
    const match = FIELD.exec(line);
    if (match === null) return undefined;
    const [, offset, size, element, shape, form, name = ''] = match;
    const field = {
      offset: Number(offset),
      size: Number(size),
      element: Number(element),
      shape: shape as LayoutField['shape'],
      form: form as LayoutField['form'],
      name,
    };
    if (field.offset > MAX_BYTES || field.size > MAX_BYTES || field.element > MAX_BYTES) return undefined;
    fields.push(field);
  }
  return { littleEndian: order === 'le', fields };
}

/** Where a field's bytes lie; undefined where that is not inside of the row's. */
function extent(field: LayoutField, view: DataView, little: boolean): { start: number; end: number } | undefined {
  const { offset, size, shape } = field;
  const located = shape === 'd' || shape === 'r';
  if (offset + (located ? 4 : size) > view.byteLength) return undefined;
  if (!located) return { start: offset, end: shape === 'a' && size === 0 ? view.byteLength : offset + size };
  const word = view.getUint32(offset, little);
  const start = (shape === 'r' ? offset + 4 : 0) + (word & 0xffff);
  const end = start + (word >>> 16);
  return end <= view.byteLength ? { start, end } : undefined;
}

function hex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;
}

function value(view: DataView, at: number, bytes: number, form: LayoutField['form'], little: boolean): number | string {
  const signed = form === 's';
  let number: number | bigint;
  switch (bytes) {
    case 1:
      number = signed ? view.getInt8(at) : view.getUint8(at);
      break;
    case 2:
      number = signed ? view.getInt16(at, little) : view.getUint16(at, little);
      break;
    case 4:
      number = signed ? view.getInt32(at, little) : view.getUint32(at, little);
      break;
    case 8:
      number = signed ? view.getBigInt64(at, little) : view.getBigUint64(at, little);
      break;
    default:
      // Structs and bitmaps: as they are.
      return hex(new Uint8Array(view.buffer, view.byteOffset + at, bytes));
  }
  if (form === 'x') return `0x${number.toString(16)}`;
  const exact = Number(number);
  return Number.isSafeInteger(exact) ? exact : number.toString();
}

/** The fields of a row's bytes, by name; null for one that lies outside of them. */
export function layoutFields(layout: EventLayout, bytes: Uint8Array): { readonly [name: string]: LayoutValue | null } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = layout.littleEndian;
  const found: Record<string, LayoutValue | null> = {};
  for (const field of layout.fields) {
    const { name, shape, form, element, size } = field;
    const place = extent(field, view, little);
    if (place === undefined) {
      found[name] = null;
      continue;
    }
    const { start, end } = place;
    if (form === 't') {
      const text = bytes.subarray(start, end);
      const length = text.indexOf(0);
      // A copy: the decoder takes no shared memory.
      found[name] = TEXT.decode(Uint8Array.from(length < 0 ? text : text.subarray(0, length)));
    } else if (shape === 'v' || element === 0)
      found[name] = value(view, start, shape === 'v' ? size : end - start, form, little);
    else {
      const count = Math.min(MAX_ELEMENTS, Math.floor((end - start) / element));
      found[name] = Array.from({ length: count }, (_, i) => value(view, start + i * element, element, form, little));
    }
  }
  return found;
}
