/** A piece of a MessagePack text: where it lies and what it is. */
export interface MsgpackRange {
  readonly from: number;
  readonly to: number;
  /** How deep in arrays and maps. */
  readonly depth: number;
  /** The name of a map's entry, whose value comes next. */
  readonly isKey: boolean;
  readonly what: string;
  /** Contents of a byte string. */
  readonly bytes?: Uint8Array;
}

/**
 * Every item of one MessagePack value, in order and without gaps; of arrays and maps their head alone. Reads what the trace
 * format has: integers, doubles, texts, byte strings, arrays, maps, true, false, nil. Throws `RangeError` for anything else.
 */
export function msgpackRanges(data: Uint8Array, start = 0): readonly MsgpackRange[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const ranges: MsgpackRange[] = [];
  let at = start;
  const item = (depth: number, isKey: boolean): void => {
    const from = at;
    const add = (to: number, what: string, bytes?: Uint8Array): void => {
      at = to;
      ranges.push({ from, to, depth, isKey, what, ...(bytes === undefined ? {} : { bytes }) });
    };
    const text = (head: number, length: number): void => {
      const end = at + head + length;
      add(end, JSON.stringify(new TextDecoder().decode(data.subarray(at + head, end))));
    };
    const binary = (head: number, length: number): void => {
      const end = at + head + length;
      add(end, `${length} bytes`, data.subarray(at + head, end));
    };
    const items = (head: number, count: number, kind: 'array' | 'map'): void => {
      add(at + head, `${kind} of ${count}`);
      for (let i = 0; i < count; i++) {
        if (kind === 'map') item(depth + 1, true);
        item(depth + 1, false);
      }
    };
    const tag = view.getUint8(at);
    if (tag < 0x80) add(at + 1, String(tag));
    else if (tag < 0x90) items(1, tag & 15, 'map');
    else if (tag < 0xa0) items(1, tag & 15, 'array');
    else if (tag < 0xc0) text(1, tag & 31);
    else if (tag >= 0xe0) add(at + 1, String(tag - 256));
    else if (tag === 0xc0) add(at + 1, 'nil');
    else if (tag === 0xc2 || tag === 0xc3) add(at + 1, String(tag === 0xc3));
    else if (tag === 0xc4) binary(2, view.getUint8(at + 1));
    else if (tag === 0xc5) binary(3, view.getUint16(at + 1));
    else if (tag === 0xcb) add(at + 9, String(view.getFloat64(at + 1)));
    else if (tag === 0xcc) add(at + 2, String(view.getUint8(at + 1)));
    else if (tag === 0xcd) add(at + 3, String(view.getUint16(at + 1)));
    else if (tag === 0xce) add(at + 5, String(view.getUint32(at + 1)));
    else if (tag === 0xcf) add(at + 9, String(view.getBigUint64(at + 1)));
    else if (tag === 0xd0) add(at + 2, String(view.getInt8(at + 1)));
    else if (tag === 0xd1) add(at + 3, String(view.getInt16(at + 1)));
    else if (tag === 0xd2) add(at + 5, String(view.getInt32(at + 1)));
    else if (tag === 0xd9) text(2, view.getUint8(at + 1));
    else if (tag === 0xda) text(3, view.getUint16(at + 1));
    else if (tag === 0xdc) items(3, view.getUint16(at + 1), 'array');
    else if (tag === 0xde) items(3, view.getUint16(at + 1), 'map');
    else throw new RangeError(`byte ${at}: 0x${tag.toString(16)} is not of the trace format`);
  };
  item(0, false);
  return ranges;
}
