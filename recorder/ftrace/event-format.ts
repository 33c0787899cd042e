/**
 * How a value lies in a record. `value`: where the field says. `array`: as many elements as its size holds; a size of 0 means
 * up to the record's end. `dataLoc`: a u32 there holds the offset (low half, from the record's start) and the length (high
 * half) of elements behind the fixed part. `relLoc`: the same, the offset counted from the end of that u32.
 */
export type FieldShape = 'value' | 'array' | 'dataLoc' | 'relLoc';

export interface EventField {
  readonly name: string;
  /** As declared, of one element: `unsigned long`, `char`. */
  readonly type: string;
  readonly shape: FieldShape;
  /** Bytes from the record's start. */
  readonly offset: number;
  /** Bytes in the fixed part: of the value, of all elements of an array, or of the u32 that locates them. */
  readonly size: number;
  /** Bytes of one element; `size` for a value. 0 if the type is not known. */
  readonly elementSize: number;
  readonly signed: boolean;
}

/** One event as tracefs describes it in `events/SYSTEM/NAME/format` (kernel/trace/trace_events.c, f_show). */
export interface EventFormat {
  readonly system: string;
  readonly name: string;
  /** `common_type` of its records. */
  readonly id: number;
  /** Fields that all events share (`common_*`). */
  readonly common: readonly EventField[];
  readonly fields: readonly EventField[];
  /** What follows `print fmt:`, uninterpreted; empty where there is none. */
  readonly printFormat: string;
}

/** Largest record that a ring buffer can hold is far below; larger offsets are damage. */
const MAX_OFFSET = 0xffff;
const MAX_FIELDS = 256;
/** Ids are 16 bits wide (`common_type`). */
const MAX_ID = 0xffff;

//   field:__data_loc char[] iommu;	offset:40;	size:4;	signed:0;
const FIELD = /^\s*field:\s*([^;]+);\s*offset:\s*(\d+);\s*size:\s*(\d+);(?:\s*signed:\s*(\d+);)?\s*$/;
//   unsigned long args[6]       char[] iommu       enum dma_data_direction dir       const char * name
const DECLARATION = /^(.*?[\s*\]])([A-Za-z_]\w*)\s*(\[[^\]]*\])?$/;

const TYPE_BYTES: ReadonlyMap<string, number> = new Map([
  ['char', 1],
  ['signed char', 1],
  ['unsigned char', 1],
  ['bool', 1],
  ['u8', 1],
  ['s8', 1],
  ['__u8', 1],
  ['u16', 2],
  ['s16', 2],
  ['short', 2],
  ['unsigned short', 2],
  ['u32', 4],
  ['s32', 4],
  ['int', 4],
  ['unsigned', 4],
  ['unsigned int', 4],
  ['u64', 8],
  ['s64', 8],
  ['long long', 8],
  ['unsigned long long', 8],
]);

//   name: map\nID: 521\nformat:\n
const HEAD = /^name:([^\n]*)\nID:\s*(\d{1,5})\s*$/m;

/**
 * Undefined where the text is not that of an event: no name, no id. `longBytes` is the kernel's. A kernel has some two thousand
 * formats, and few of them are ever asked for their fields: these are read when they are. Where a field can't be, there are none.
 */
export function parseEventFormat(text: string, system: string, longBytes = 8): EventFormat | undefined {
  const head = HEAD.exec(text);
  const name = head?.[1]?.trim() ?? '';
  const id = Number(head?.[2] ?? -1);
  return name === '' || id < 0 || id > MAX_ID ? undefined : new ParsedFormat(system, name, id, text, longBytes);
}

interface FormatFields {
  readonly common: readonly EventField[];
  readonly fields: readonly EventField[];
  readonly printFormat: string;
}

class ParsedFormat implements EventFormat {
  readonly system: string;
  readonly name: string;
  readonly id: number;
  readonly #text: string;
  readonly #longBytes: number;
  #parsed: FormatFields | undefined;

  constructor(system: string, name: string, id: number, text: string, longBytes: number) {
    this.system = system;
    this.name = name;
    this.id = id;
    this.#text = text;
    this.#longBytes = longBytes;
  }

  get common(): readonly EventField[] {
    return this.#read().common;
  }

  get fields(): readonly EventField[] {
    return this.#read().fields;
  }

  get printFormat(): string {
    return this.#read().printFormat;
  }

  #read(): FormatFields {
    this.#parsed ??= parseFields(this.#text, this.#longBytes) ?? { common: [], fields: [], printFormat: '' };
    return this.#parsed;
  }
}

function parseFields(text: string, longBytes: number): FormatFields | undefined {
  let printFormat = '';
  const common: EventField[] = [];
  const fields: EventField[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? '';
    if (line.startsWith('print fmt:')) {
      printFormat = lines.slice(i).join('\n').slice('print fmt:'.length).trim();
      break;
    }
    if (!/^\s*field:/.test(line)) continue;
    const field = parseField(line, longBytes);
    if (field === undefined || common.length + fields.length >= MAX_FIELDS) return undefined;
    (field.name.startsWith('common_') ? common : fields).push(field);
  }
  return { common, fields, printFormat };
}

/** One `field:` line; also those of `header_page`. */
export function parseField(line: string, longBytes = 8): EventField | undefined {
  const match = FIELD.exec(line);
  if (match === null) return undefined;
  const [, whole = '', offsetText = '', sizeText = '', signed = '0'] = match;
  const offset = Number(offsetText);
  const size = Number(sizeText);
  if (offset > MAX_OFFSET || size > 16 * 1024 * 1024) return undefined;
  const located = /^(__data_loc|__rel_loc)\s+/.exec(whole);
  const declared = DECLARATION.exec(located === null ? whole.trim() : whole.slice(located[0].length).trim());
  if (declared === null) return undefined;
  const [, typeText = '', name = '', brackets] = declared;
  const type = typeText.replace(/\[\]\s*$/, '').trim();
  const known = type.endsWith('*') || /\blong$/.test(type) ? longBytes : (TYPE_BYTES.get(type) ?? 0);
  const wide = /\blong long$/.test(type) ? 8 : known;
  if (located !== null) {
    const shape = located[1] === '__data_loc' ? 'dataLoc' : 'relLoc';
    return size === 4 ? { name, type, shape, offset, size, elementSize: wide, signed: signed === '1' } : undefined;
  }
  if (brackets !== undefined) {
    return {
      name,
      type,
      shape: 'array',
      offset,
      size,
      elementSize: arrayElement(brackets, size, wide),
      signed: signed === '1',
    };
  }
  return { name, type, shape: 'value', offset, size, elementSize: size, signed: signed === '1' };
}

/** `[6]` of 48 bytes has elements of 8; the number may also be the name of a constant. */
function arrayElement(brackets: string, size: number, known: number): number {
  const count = Number(brackets.slice(1, -1));
  return Number.isInteger(count) && count > 0 && size % count === 0 ? size / count : known;
}
