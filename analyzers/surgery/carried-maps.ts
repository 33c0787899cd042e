import { ORIGIN, STREAM_ID } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import type { EventSink } from '../../traces/trace.ts';
import { pageNumber } from '../../traces/units.ts';
import { LiveRanges } from './live-ranges.ts';

interface MapRow {
  readonly origin: number;
  readonly domain: number;
  readonly device: number;
  readonly iovaLo: number;
  readonly iovaHi: number;
  /** 4 KiB page. */
  readonly phys: number;
  readonly physLo: number;
  readonly physHi: number;
  readonly sizeLo: number;
  readonly sizeHi: number;
  readonly prot: number;
  readonly attrs: number;
  readonly call: number;
  readonly list: Uint8Array | undefined;
  readonly cpu: number;
  readonly task: number;
  readonly source: number;
}

const PAGES_OF_WORD = 0x10_0000;

/**
 * Which maps are alive. Those of the DMA API are handles: an unmap names the address that its map gave. All others are ranges of
 * pages of a domain (of a device where the domain is not known), and may be unmapped in parts or together.
 */
export class CarriedMaps {
  readonly #ranges = new Map<string, LiveRanges<MapRow>>();
  readonly #handles = new Map<string, MapRow>();

  map(columns: Columns<'map'>, row: number, cpu: number, task: number, source: number): void {
    const { list } = columns;
    const start = list.offsets[row] ?? 0;
    const end = list.offsets[row + 1] ?? 0;
    const entry: MapRow = {
      origin: columns.origin[row]!,
      domain: columns.domain[row]!,
      device: columns.device[row]!,
      iovaLo: columns.iovaLo[row]!,
      iovaHi: columns.iovaHi[row]!,
      phys: pageNumber(columns.physLo[row]!, columns.physHi[row]!),
      physLo: columns.physLo[row]!,
      physHi: columns.physHi[row]!,
      sizeLo: columns.sizeLo[row]!,
      sizeHi: columns.sizeHi[row]!,
      prot: columns.prot[row]!,
      attrs: columns.attrs[row]!,
      call: columns.call[row]!,
      list: end > start ? list.data.slice(start, end) : undefined,
      cpu,
      task,
      source,
    };
    if (entry.origin === ORIGIN.dmaApi) {
      this.#handles.set(handle(entry.device, entry.iovaLo, entry.iovaHi), entry);
      return;
    }
    const first = pageNumber(entry.iovaLo, entry.iovaHi);
    this.#space(entry.origin, entry.domain, entry.device).add(
      first,
      first + Math.max(1, pageNumber(entry.sizeLo, entry.sizeHi)),
      entry,
    );
  }

  unmap(columns: Columns<'unmap'>, row: number): void {
    const origin = columns.origin[row]!;
    const device = columns.device[row]!;
    if (origin === ORIGIN.dmaApi) {
      this.#handles.delete(handle(device, columns.iovaLo[row]!, columns.iovaHi[row]!));
      return;
    }
    const first = pageNumber(columns.iovaLo[row]!, columns.iovaHi[row]!);
    const pages = pageNumber(columns.sizeLo[row]!, columns.sizeHi[row]!);
    this.#space(origin, columns.domain[row]!, device).remove(first, first + pages);
  }

  get count(): number {
    let count = this.#handles.size;
    for (const { ranges } of this.#ranges.values()) count += ranges.length;
    return count;
  }

  /** `text` gives a text its number in the sink. */
  write(sink: EventSink, time: number, text: (ref: number) => number): void {
    for (const space of this.#ranges.values()) {
      for (const { first, end, offset, value } of space.ranges) {
        const whole = offset === 0 && end - first === pageNumber(value.sizeLo, value.sizeHi);
        const row = put(sink, time, value, text);
        if (whole) continue;
        const { columns } = sink.rows.map;
        const phys = value.phys + offset;
        columns.iovaLo[row] = (first << 12) | (offset === 0 ? value.iovaLo & 0xfff : 0);
        columns.iovaHi[row] = Math.floor(first / PAGES_OF_WORD);
        columns.physLo[row] = (phys << 12) | (offset === 0 ? value.physLo & 0xfff : 0);
        columns.physHi[row] = Math.floor(phys / PAGES_OF_WORD);
        columns.sizeLo[row] = (end - first) << 12;
        columns.sizeHi[row] = Math.floor((end - first) / PAGES_OF_WORD);
      }
    }
    for (const entry of this.#handles.values()) put(sink, time, entry, text);
  }

  #space(origin: number, domain: number, device: number): LiveRanges<MapRow> {
    const key = `${origin} ${domain} ${domain < 0 ? device : ''}`;
    let space = this.#ranges.get(key);
    if (space === undefined) this.#ranges.set(key, (space = new LiveRanges()));
    return space;
  }
}

function handle(device: number, lo: number, hi: number): string {
  return `${device} ${hi} ${lo}`;
}

function put(sink: EventSink, time: number, entry: MapRow, text: (ref: number) => number): number {
  const row = sink.begin(STREAM_ID.map, time, entry.cpu, entry.task, entry.source);
  const { columns } = sink.rows.map;
  columns.origin[row] = entry.origin;
  columns.domain[row] = entry.domain;
  columns.device[row] = entry.device;
  columns.iovaLo[row] = entry.iovaLo;
  columns.iovaHi[row] = entry.iovaHi;
  columns.physLo[row] = entry.physLo;
  columns.physHi[row] = entry.physHi;
  columns.sizeLo[row] = entry.sizeLo;
  columns.sizeHi[row] = entry.sizeHi;
  columns.prot[row] = entry.prot;
  columns.attrs[row] = text(entry.attrs);
  columns.call[row] = entry.call;
  if (entry.list !== undefined) sink.setBytes(columns.list, row, entry.list);
  return row;
}
