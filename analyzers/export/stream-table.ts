import { dialectById } from '../../traces/dialects/dialects.ts';
import type { FieldValue, PlainEvent } from '../../traces/event.ts';
import { ioctlName } from '../../traces/ioctl-requests.ts';
import { DIRTY_OP, INV_FORM, INV_FORM_NAMES, RESET_NAMES, STREAMS } from '../../traces/schema.ts';
import type { ColumnKind, StreamName } from '../../traces/schema.ts';
import { ABSENT_BY_DEFAULT } from '../../traces/segment.ts';
import { ABSENT, formatRequester, highWord, lowWord } from '../../traces/units.ts';
import { REQUESTERS, hasNames, nameOfValue } from '../event-text.ts';
import { printedColumn } from '../printed-column.ts';

/**
 * What a column of a table holds: 32 bits signed, 64 bits signed or unsigned (BigInt), a text, a byte string. `null` is a value
 * that the source did not give.
 */
export type TableType = 'int32' | 'int64' | 'uint64' | 'text' | 'bytes';

export type TableValue = number | bigint | string | Uint8Array | null;

export interface TableColumn {
  readonly name: string;
  readonly type: TableType;
  /** Best read as hexadecimal: an address, or a word of a command. */
  readonly hex: boolean;
  valueOf(event: PlainEvent): TableValue;
}

/** 64-bit columns that may be negative: what a system call returned. */
const SIGNED: ReadonlySet<string> = new Set(['ret']);
/** 32-bit columns that are read as unsigned, and so need 64 bits in a table of signed ones. */
const UNSIGNED: ReadonlySet<string> = new Set(['ioctl.request']);
/** Addresses, and words of commands and calls. */
const HEX: ReadonlySet<string> = new Set('iova phys out arg start end addr w0 w1 w2 w3 a0 a1 a2 a3 a4 a5'.split(' '));

const COMMON: readonly TableColumn[] = [
  { name: 'event', type: 'int64', hex: false, valueOf: ({ index }) => BigInt(index) },
  { name: 't', type: 'int64', hex: false, valueOf: ({ time }) => BigInt(Math.round(time)) },
  { name: 'cpu', type: 'int32', hex: false, valueOf: ({ cpu }) => (cpu === ABSENT ? null : cpu) },
  { name: 'task', type: 'int32', hex: false, valueOf: ({ task }) => (task === ABSENT ? null : task) },
  { name: 'source', type: 'int32', hex: false, valueOf: ({ source }) => source },
];

function typeOf(stream: StreamName, column: string, kind: ColumnKind): TableType {
  if (kind === 'bytes') return 'bytes';
  if (kind === 'ref' || REQUESTERS.has(column) || hasNames(stream, column)) return 'text';
  if (kind === 'long') return SIGNED.has(column) ? 'int64' : 'uint64';
  return UNSIGNED.has(`${stream}.${column}`) ? 'int64' : 'int32';
}

function columnOf(stream: StreamName, name: string, kind: ColumnKind): TableColumn {
  const type = typeOf(stream, name, kind);
  return {
    name: printedColumn(stream, name),
    type,
    hex: HEX.has(name),
    valueOf: (event) => tableValue(event, name, type, event.fields[name]),
  };
}

function tableValue(event: PlainEvent, column: string, type: TableType, value: FieldValue | undefined): TableValue {
  if (value === undefined || value === null) return null;
  if (value instanceof Uint8Array) return value.length === 0 ? null : value;
  if (typeof value === 'bigint') return type === 'int64' ? BigInt.asIntN(64, value) : value;
  if (typeof value !== 'number') return value;
  if (value === ABSENT && ABSENT_BY_DEFAULT.has(column)) return null;
  if (type === 'int64') return BigInt(value >>> 0);
  if (type !== 'text') return value;
  return REQUESTERS.has(column) ? formatRequester(value) : (nameOfValue(event, column, value) ?? String(value));
}

const DIRTY_NAMES = Object.keys(DIRTY_OP);

/** Name of a native command by its first word: `iotlb`, `wait`; of what is none, its form. Null where it is not known. */
export function commandName({ fields: { dialect, form, w0 } }: PlainEvent): string | null {
  if (form === INV_FORM.reset) return RESET_NAMES[Number(w0 ?? 0n)] ?? 'reset';
  if (form !== INV_FORM.words && form !== INV_FORM.decoded) return INV_FORM_NAMES[Number(form)] ?? null;
  if (typeof dialect !== 'number' || typeof w0 !== 'bigint') return null;
  const family = dialectById(dialect);
  return family?.typeNames[family.typeNumber(lowWord(w0), highWord(w0))] ?? null;
}

/** Name of an ioctl's request: `IOMMU_IOAS_MAP`. */
export function requestName({ fields: { request, path } }: PlainEvent): string | null {
  return typeof request === 'number' ? ioctlName(request, typeof path === 'string' ? path : undefined) : null;
}

/** Columns that are read out of others, behind those of the stream. */
const DERIVED: { readonly [S in StreamName]?: TableColumn } = {
  inv: { name: 'command', type: 'text', hex: false, valueOf: commandName },
  ioctl: { name: 'name', type: 'text', hex: false, valueOf: requestName },
  dirty: {
    name: 'action',
    type: 'text',
    hex: false,
    valueOf: ({ fields }) => DIRTY_NAMES[Number(fields['op'])] ?? null,
  },
};

/** The columns of the table of a stream: those that all events have, those of the stream, and what is read out of them. */
export function tableColumns(stream: StreamName): readonly TableColumn[] {
  const own = Object.entries(STREAMS[stream] as Record<string, ColumnKind>).map(([name, kind]) =>
    columnOf(stream, name, kind),
  );
  const derived = DERIVED[stream];
  return [...COMMON, ...own, ...(derived === undefined ? [] : [derived])];
}
