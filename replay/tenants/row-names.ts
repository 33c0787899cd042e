import { INV_FORM, STREAMS, STREAM_ID, STREAM_NAMES } from '../../traces/schema.ts';
import type { ColumnKind, StreamName } from '../../traces/schema.ts';
import { decodeSgList } from '../../traces/sg-list.ts';
import { renameCommand } from './command-names.ts';
import type { CommandNames } from './command-names.ts';
import type { MergedSegment } from './merged-segment.ts';
import type { CopiedColumns } from './segment-window.ts';
import type { TenantNumbers } from './tenant-names.ts';

/** Gives a copied row the names of its tenant. `texts`: numbers of texts, where the trace is not the first. */
export type Renaming = (stream: number, row: number, tenant: TenantNumbers, texts: Int32Array | undefined) => void;

/** Columns with a requester, with a domain, and with an address that moves with the tenant. */
const RIDS: { readonly [S in StreamName]?: string } = {
  map: 'device',
  unmap: 'device',
  attach: 'device',
  dma: 'rid',
  fault: 'rid',
  prq: 'rid',
  prs: 'rid',
  flush: 'device',
};
const DOMAINS: { readonly [S in StreamName]?: string } = {
  map: 'domain',
  unmap: 'domain',
  attach: 'domain',
  dma: 'domain',
  flush: 'domain',
};
const ADDRESSES: { readonly [S in StreamName]?: readonly string[] } = {
  map: ['iova'],
  unmap: ['iova'],
  dma: ['iova'],
  fault: ['iova'],
  prq: ['iova'],
  flush: ['start', 'end'],
};
/** Of inv, what the words can be told by. */
const COMMAND = ['dialect', 'form', 'w0', 'w1', 'w2'];

/** What of a stream is to be read for columns that were asked for. */
export function neededColumns(name: StreamName, asked: readonly string[] | 'all'): readonly string[] | 'all' {
  if (asked === 'all' || name !== 'inv') return asked;
  return asked.some((column) => /^w\d$/.test(column))
    ? [...new Set([...COMMAND, ...asked])]
    : [...new Set(['form', ...asked])];
}

/** Bound to one merged segment. */
export function createRenaming(columns: Readonly<Record<StreamName, CopiedColumns>>, merged: MergedSegment): Renaming {
  const { ints } = merged;
  const at = (name: StreamName, property: string | undefined): number =>
    property === undefined ? -1 : columns[name].ints.indexOf(property);
  const rid = Int32Array.from(STREAM_NAMES, (name) => at(name, RIDS[name]));
  const domain = Int32Array.from(STREAM_NAMES, (name) => at(name, DOMAINS[name]));
  const addresses = STREAM_NAMES.map((name) =>
    (ADDRESSES[name] ?? []).map((column) => at(name, `${column}Lo`)).filter((index) => index >= 0),
  );
  const refs = STREAM_NAMES.map((name) =>
    Object.entries(STREAMS[name] as Record<string, ColumnKind>)
      .filter(([, kind]) => kind === 'ref')
      .map(([column]) => at(name, column))
      .filter((index) => index >= 0),
  );
  const lists = STREAM_NAMES.map((name) =>
    name === 'map' || name === 'unmap' ? columns[name].bytes.indexOf('list') : -1,
  );
  const [dialect, form] = [at('inv', 'dialect'), at('inv', 'form')];
  const words = ['w0Lo', 'w0Hi', 'w1Lo', 'w1Hi', 'w2Lo', 'w2Hi'].map((property) => at('inv', property));
  const scratch = new Int32Array(6);
  let tenant: TenantNumbers | undefined;
  const names: CommandNames = {
    domain: (name) => tenant!.domains.get(name) ?? name,
    guest: (name) => tenant!.guests.get(name) ?? name,
    rid: (name) => tenant!.rids.get(name) ?? name,
  };

  const command = (row: number): void => {
    if (dialect < 0) return;
    const own = ints[STREAM_ID.inv]!;
    const kind = own[form]![row]!;
    if (kind !== INV_FORM.words && kind !== INV_FORM.decoded) return;
    for (let k = 0; k < 6; k++) scratch[k] = own[words[k]!]![row]!;
    renameCommand(own[dialect]![row]!, scratch, names, tenant!.pages);
    for (let k = 0; k < 6; k++) own[words[k]!]![row] = scratch[k]!;
  };

  return (stream, row, of, texts) => {
    tenant = of;
    const own = ints[stream]!;
    if (rid[stream]! >= 0) rename(own[rid[stream]!]!, row, of.rids);
    if (domain[stream]! >= 0) rename(own[domain[stream]!]!, row, of.domains);
    if (of.pages !== 0) {
      for (const index of addresses[stream]!) move(own[index]!, own[index + 1]!, row, of.pages);
      if (lists[stream]! >= 0) moveSgList(merged.bytesOf(stream, lists[stream]!, row), of.pages);
    }
    if (stream === STREAM_ID.inv) command(row);
    if (texts === undefined) return;
    for (const index of refs[stream]!) {
      const column = own[index]!;
      if (column[row]! >= 0) column[row] = texts[column[row]!]!;
    }
  };
}

function rename(column: Int32Array, row: number, names: ReadonlyMap<number, number>): void {
  const name = column[row]!;
  if (name !== -1) column[row] = names.get(name) ?? name;
}

/** Adds pages to an address. */
function move(lo: Int32Array, hi: Int32Array, row: number, pages: number): void {
  const bytes = pages * 4096;
  const low = (lo[row]! >>> 0) + (bytes % 2 ** 32);
  lo[row] = low | 0;
  hi[row] = (hi[row]! + Math.floor(bytes / 2 ** 32) + (low >= 2 ** 32 ? 1 : 0)) | 0;
}

/** Moves the addresses of a list of segments, in place; what is no list stays. */
function moveSgList(bytes: Uint8Array, pages: number): void {
  const { length } = decodeSgList(bytes).dma;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < length; i++) {
    const at = 8 + i * 16;
    view.setBigUint64(at, BigInt.asUintN(64, view.getBigUint64(at, true) + (BigInt(pages) << 12n)), true);
  }
}
