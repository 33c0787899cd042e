import type { FieldValue, PlainEvent } from '../traces/event.ts';
import { dialectById } from '../traces/dialects/dialects.ts';
import {
  ATTACH,
  ATTACH_NAMES,
  CALL,
  CALL_EVENT_NAMES,
  CALL_NAMES,
  DERIVED_DEVICE,
  DIALECT_NAMES,
  DOMAIN_KIND,
  FLUSH_NAMES,
  INV_FORM,
  INV_FORM_NAMES,
  ORIGIN_NAMES,
  OUTCOME,
  RESET_NAMES,
  TAG_TYPE_NAMES,
} from '../traces/schema.ts';
import { layoutFields, parseLayout } from '../traces/event-layout.ts';
import type { EventLayout, LayoutValue } from '../traces/event-layout.ts';
import { decodeSgList } from '../traces/sg-list.ts';
import { formatRequester } from '../traces/units.ts';
import { callText, ioctlText } from './call-text.ts';
import { printedColumn } from './printed-column.ts';
import { printable } from './report/escape.ts';

/** Columns whose numbers have names; both outputs of `cat` show these. */
const NAMED: { readonly [column: string]: readonly string[] } = {
  'map.origin': ORIGIN_NAMES,
  'unmap.origin': ORIGIN_NAMES,
  'map.call': CALL_NAMES,
  'unmap.call': CALL_NAMES,
  'attach.kind': ATTACH_NAMES,
  'attach.type': TAG_TYPE_NAMES,
  'flush.op': FLUSH_NAMES,
  'flush.type': TAG_TYPE_NAMES,
  'inv.dialect': DIALECT_NAMES,
  'inv.form': INV_FORM_NAMES,
  'call.event': CALL_EVENT_NAMES,
};

const DOMAIN_KINDS = Object.keys(DOMAIN_KIND);

/** Columns that hold a requester id. */
export const REQUESTERS: ReadonlySet<string> = new Set(['device', 'rid']);

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function bytesText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** What a number of a column stands for; undefined where it is just a number. */
export function nameOfValue(event: PlainEvent, column: string, value: number): string | undefined {
  if (column === 'type' && event.stream === 'attach' && isDerived(event)) return DOMAIN_KINDS[value];
  return NAMED[`${event.stream}.${column}`]?.[value];
}

/** True for a column whose numbers have names. */
export function hasNames(stream: string, column: string): boolean {
  return NAMED[`${stream}.${column}`] !== undefined;
}

/** A field as JSON: addresses and other 64-bit values as hex strings, named numbers by name, absent ones null. */
function jsonField(event: PlainEvent, column: string, value: FieldValue): string | number | null {
  if (typeof value === 'bigint') return hex(value);
  if (value instanceof Uint8Array) return value.length === 0 ? null : bytesText(value);
  if (typeof value !== 'number') return value;
  if (REQUESTERS.has(column)) return value === -1 ? null : formatRequester(value);
  return nameOfValue(event, column, value) ?? value;
}

/** An attachment that a model of the calls derived: it says what kind of domain it is. */
function isDerived({ fields }: PlainEvent): boolean {
  const { kind, device } = fields;
  return number(device) >= DERIVED_DEVICE && (kind === ATTACH.attach || kind === ATTACH.detach);
}

/** One line of NDJSON without its line feed. */
export function eventJson(event: PlainEvent): string {
  const line: Record<string, unknown> = {
    event: event.index,
    stream: event.stream,
    t: event.time,
    cpu: event.cpu,
    task: event.task,
    source: event.source,
  };
  for (const [column, value] of Object.entries(event.fields)) {
    line[printedColumn(event.stream, column)] = jsonField(event, column, value);
  }
  if (event.stream === 'event') {
    line['fields'] = eventFields(event);
    // It is the same for all events of a name, and as long as a line.
    if (line['fields'] !== null) delete line['layout'];
    else if (event.fields['layout'] === null) line['text'] = payloadText(event);
  }
  return JSON.stringify(line);
}

function number(value: FieldValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}

function address(value: FieldValue | undefined): string {
  return typeof value === 'bigint' ? hex(value) : '-';
}

function owner(event: PlainEvent): string {
  const { domain, device } = event.fields;
  const parts: string[] = [];
  if (number(domain) !== -1) parts.push(`did ${number(domain)}`);
  if (device !== undefined && number(device) !== -1) parts.push(formatRequester(number(device)));
  return parts.length === 0 ? 'owner unknown' : parts.join(' ');
}

function mapText(event: PlainEvent): string {
  const { fields } = event;
  const origin = ORIGIN_NAMES[number(fields['origin'])] ?? '?';
  const call = number(fields['call']);
  const kind = call === CALL.iommu ? origin : `${origin} ${CALL_NAMES[call] ?? '?'}`;
  const list =
    fields['list'] instanceof Uint8Array && fields['list'].length > 0 ? decodeSgList(fields['list']) : undefined;
  const segments = list === undefined ? '' : ` ${list.phys.length} segments`;
  const to = fields['phys'] === undefined ? '' : ` -> ${address(fields['phys'])}`;
  const { unmapped } = fields;
  const partly =
    typeof unmapped === 'bigint' && call === CALL.iommu && unmapped !== fields['size']
      ? ` unmapped ${hex(unmapped)}`
      : '';
  return `${kind}, ${owner(event)}, ${address(fields['iova'])}+${address(fields['size'])}${to}${partly}${segments}`;
}

function invText(event: PlainEvent): string {
  const { fields } = event;
  const form = number(fields['form']);
  const unit = fields['unit'] === null ? '' : `${printable(String(fields['unit']))} `;
  if (form === INV_FORM.doorbell) return `${unit}doorbell: tail ${String(fields['w0'])}`;
  if (form === INV_FORM.reset) return `${unit}${RESET_NAMES[Number(fields['w0'])] ?? 'reset'}`;
  const words = ['w0', 'w1', 'w2', 'w3'].map((name) => (typeof fields[name] === 'bigint' ? fields[name] : 0n));
  const lag =
    typeof fields['lag'] === 'bigint' && fields['lag'] > 0n ? ` (${fields['lag']} ns after it was submitted)` : '';
  const dialect = dialectById(number(fields['dialect']));
  return `${unit}${dialect?.disassemble(words) ?? words.map(hex).join(' ')}${lag}`;
}

function dmaText(event: PlainEvent): string {
  const { fields } = event;
  const outcome = number(fields['outcome']);
  const words: string[] = [];
  if ((outcome & OUTCOME.known) !== 0) words.push((outcome & OUTCOME.hit) !== 0 ? 'hit' : 'miss');
  if ((outcome & OUTCOME.reset) !== 0) words.push('cache emptied');
  if ((outcome & OUTCOME.fault) !== 0) words.push('fault');
  if ((outcome & OUTCOME.bypass) !== 0) words.push('passed through');
  if ((outcome & OUTCOME.inconsistent) !== 0) words.push('log disagrees with itself');
  const pasid = number(fields['pasid']) === -1 ? '' : ` pasid ${number(fields['pasid'])}`;
  const domain = number(fields['domain']) === -1 ? '' : ` did ${number(fields['domain'])}`;
  return `${formatRequester(number(fields['rid']))}${pasid}${domain} ${address(fields['iova'])} -> ${address(fields['out'])} ${words.join(', ')}`;
}

/** Layouts that were met, by their texts. */
const LAYOUTS = new Map<string, EventLayout | undefined>();
const MAX_LAYOUTS = 4096;

function layoutOf(text: string): EventLayout | undefined {
  if (LAYOUTS.has(text)) return LAYOUTS.get(text);
  const layout = parseLayout(text);
  if (LAYOUTS.size < MAX_LAYOUTS) LAYOUTS.set(text, layout);
  return layout;
}

/** Fields of a kept record; null where it has no layout that can be read. */
function eventFields({ fields }: PlainEvent): { readonly [name: string]: LayoutValue | null } | null {
  const { layout, data } = fields;
  const known = typeof layout === 'string' ? layoutOf(layout) : undefined;
  return known === undefined || !(data instanceof Uint8Array) ? null : layoutFields(known, data);
}

function payloadText({ fields }: PlainEvent): string {
  const { data } = fields;
  return data instanceof Uint8Array ? Buffer.from(data).toString() : '';
}

// sched:sched_wakeup comm=ksoftirqd/0 pid=14 prio=120 target_cpu=0
function keptText(event: PlainEvent): string {
  const { name, layout } = event.fields;
  const fields = eventFields(event);
  const list = (value: LayoutValue | null): string =>
    value === null ? '?' : typeof value === 'object' ? `{${value.join(',')}}` : String(value);
  const parts =
    fields === null
      ? [layout === null ? payloadText(event) : jsonBytes(event)]
      : Object.entries(fields).map(([field, value]) => `${field}=${list(value)}`);
  return [String(name ?? '?'), ...parts].map((part) => printable(part)).join(' ');
}

function jsonBytes({ fields }: PlainEvent): string {
  const { data } = fields;
  return data instanceof Uint8Array ? bytesText(data) : '';
}

/** Every field that says something, by name: the form of streams without one of their own. */
function genericText(event: PlainEvent): string {
  const parts: string[] = [];
  for (const [column, value] of Object.entries(event.fields)) {
    const shown = jsonField(event, column, value);
    if (shown === null || shown === -1 || shown === '0x0') continue;
    parts.push(`${column} ${printable(String(shown))}`);
  }
  return parts.join(', ');
}

function seconds(time: number): string {
  const whole = Math.floor(time / 1e9);
  return `${whole}.${String(time - whole * 1e9).padStart(9, '0')}`;
}

/** What an event was, for people, without when and where. */
export function eventDetail(event: PlainEvent): string {
  switch (event.stream) {
    case 'map':
    case 'unmap':
      return mapText(event);
    case 'inv':
      return invText(event);
    case 'dma':
      return dmaText(event);
    case 'ioctl':
      return ioctlText(event);
    case 'call':
      return callText(event);
    case 'event':
      return keptText(event);
    case 'mark':
      return printable(String(event.fields['text'] ?? ''));
    default:
      return genericText(event);
  }
}

/** One line for people, without its line feed. */
export function eventText(event: PlainEvent): string {
  const where = event.cpu === -1 ? '-' : `${event.cpu}`;
  const task = event.task === -1 ? '-' : `${event.task}`;
  return `${seconds(event.time).padStart(16)} ${where.padStart(3)} ${task.padStart(7)}  ${event.stream.padEnd(6)} ${eventDetail(event)}`;
}
