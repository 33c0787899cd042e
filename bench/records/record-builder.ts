import { parseEventFormat } from '../../recorder/ftrace/event-format.ts';
import type { EventFormat } from '../../recorder/ftrace/event-format.ts';

/** Formats and records of kernel events, as inputs of tests and benchmarks. */

export type FieldValue = bigint | number | string | readonly bigint[];

const COMMON =
  '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n' +
  '\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n' +
  '\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n' +
  '\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n';

/** `u64 iova`, `__data_loc char[] device`, `unsigned long args[6]`, `char buf[]`: laid out as a compiler does. */
export function formatText(name: string, id: number, fields: readonly string[], printFormat = '"x"'): string {
  let offset = 8;
  const lines = fields.map((field) => {
    const located = /^__(data|rel)_loc/.test(field);
    const count = Number(/\[(\d+)\]$/.exec(field)?.[1] ?? 1);
    const size = field.endsWith('[]')
      ? 0
      : located
        ? 4
        : (/64|long|size_t|\*/.test(field) ? 8 : /16/.test(field) ? 2 : /bool/.test(field) ? 1 : 4) * count;
    const align = located ? 4 : Math.max(1, size / count);
    offset = Math.ceil(offset / align) * align;
    const line = `\tfield:${field};\toffset:${offset};\tsize:${size};\tsigned:${/^(int|long|s\d)/.test(field) ? 1 : 0};\n`;
    offset += size;
    return line;
  });
  return `name: ${name}\nID: ${id}\nformat:\n${COMMON}${lines.join('')}\nprint fmt: ${printFormat}\n`;
}

/** `event` is `system:name`. */
export function makeFormat(event: string, id: number, fields: readonly string[], printFormat?: string): EventFormat {
  const [system = '', name = ''] = event.split(':');
  const text = formatText(name, id, fields, printFormat);
  const format = parseEventFormat(text, system);
  if (format === undefined) throw new RangeError(`no format: ${text}`);
  return format;
}

/** A record of the format. Strings end with a NUL, as the kernel writes them. */
export function makeRecord(
  format: EventFormat,
  pid: number,
  values: { readonly [field: string]: FieldValue },
  littleEndian = true,
): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, format.id, littleEndian);
  view.setInt32(4, pid, littleEndian);
  let end = format.fields.reduce((most, { offset, size }) => Math.max(most, offset + size), 8);
  for (const { name, shape, offset, size, elementSize } of format.fields) {
    const value = values[name] ?? 0n;
    const put = (at: number, width: number, number: bigint): void => {
      for (let i = 0; i < width; i++) {
        bytes[at + (littleEndian ? i : width - 1 - i)] = Number((number >> BigInt(8 * i)) & 0xffn);
      }
    };
    if (shape === 'value') {
      put(offset, size, BigInt(value as bigint | number));
      continue;
    }
    const elements =
      typeof value === 'string'
        ? [...Buffer.from(`${value}\0`)].map(BigInt)
        : Array.isArray(value)
          ? (value as bigint[])
          : [];
    const width = elementSize;
    const from = shape === 'array' ? offset : end;
    elements.forEach((element, i) => put(from + i * width, width, element));
    const length = elements.length * width;
    if (shape !== 'array') {
      const base = shape === 'relLoc' ? offset + 4 : 0;
      put(offset, 4, (BigInt(length) << 16n) | BigInt(end - base));
    }
    if (shape !== 'array' || size === 0) end = Math.max(end, from + length);
  }
  return bytes.slice(0, Math.ceil(end / 4) * 4);
}
