import { formatLayout } from '../../traces/event-layout.ts';
import type { LayoutField } from '../../traces/event-layout.ts';
import { STREAM_ID } from '../../traces/schema.ts';
import type { EventField, EventFormat } from './event-format.ts';
import type { RecordConverter } from './event-record.ts';

const SHAPES = { value: 'v', array: 'a', dataLoc: 'd', relLoc: 'r' } as const;
/** Longest text that a layout may become; one that is longer is left out, and the bytes stay. */
const MAX_LAYOUT = 20_000;

/** Parts of a print format's arguments between commas that are in no bracket and no string. */
function splitArguments(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted) {
      if (char === '\\') i++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '(' || char === '{' || char === '[') depth++;
    else if (char === ')' || char === '}' || char === ']') depth--;
    else if (char === ',' && depth === 0) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

// %016llx   %*pbl   %-5d   %%
const CONVERSION = /%(?:%|[-+ #0]*[\d*]*(?:\.[\d*]+)?(?:hh|h|ll|l|z|t|L)?([a-zA-Z]))/g;

/** Fields that the kernel prints in hexadecimal: `REC->iova` of `"iova=0x%016llx", REC->iova`. */
function hexFields(printFormat: string): ReadonlySet<string> {
  const [format = '', ...given] = splitArguments(printFormat);
  const letters = [...format.matchAll(CONVERSION)].flatMap(([, letter]) => (letter === undefined ? [] : [letter]));
  const found = new Set<string>();
  if (letters.length !== given.length) return found;
  letters.forEach((letter, at) => {
    const names = [...(given[at] ?? '').matchAll(/\bREC->(\w+)/g)];
    if (/[xXp]/.test(letter) && names.length === 1) found.add(names[0]?.[1] ?? '');
  });
  return found;
}

function layoutField(field: EventField, hex: ReadonlySet<string>): LayoutField {
  const { name, type, offset, size, elementSize, signed } = field;
  const text = field.shape !== 'value' && /^(?:const )?char$/.test(type);
  const number = hex.has(name) || type.endsWith('*') ? 'x' : signed ? 's' : 'u';
  return { offset, size, element: elementSize, shape: SHAPES[field.shape], form: text ? 't' : number, name };
}

/** Keeps the records of an event that no stream of its own is for: whole, with what their fields mean. */
export function otherEvent(format: EventFormat, littleEndian: boolean): RecordConverter {
  const hex = hexFields(format.printFormat);
  const fields = format.fields.map((field) => layoutField(field, hex));
  const layout = formatLayout({ littleEndian, fields });
  const name = `${format.system}:${format.name}`;
  let nameRef = -1;
  let layoutRef = -1;
  return ({ bytes, at, length }, out) => {
    const { sink } = out;
    if (nameRef < 0) {
      nameRef = sink.intern(name);
      if (layout.length <= MAX_LAYOUT) layoutRef = sink.intern(layout);
    }
    const row = out.begin(STREAM_ID.event);
    const { columns } = sink.rows.event;
    columns.name[row] = nameRef;
    columns.layout[row] = layoutRef;
    sink.setBytes(columns.data, row, bytes.subarray(at, at + length));
    return true;
  };
}
