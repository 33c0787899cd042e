import { renameCommand } from '../../../replay/tenants/command-names.ts';
import { DIRTY_SPACE, FLUSH, INV_FORM, OUTCOME, RESET, STREAM_ID } from '../../../traces/schema.ts';
import type { BytesColumn } from '../../../traces/schema.ts';
import type { Segment } from '../../../traces/segment.ts';
import { decodeSgList, encodeSgList } from '../../../traces/sg-list.ts';
import type { EventSink } from '../../../traces/trace.ts';
import { ABSENT } from '../../../traces/units.ts';
import { moveCommandMemory } from './command-addresses.ts';
import { moveAddress } from './moved-address.ts';
import { createCommandNames, isEverything, isPages, readWords } from './survey.ts';
import type { Survey } from './survey.ts';

/** Rewrites a row that the sink has just been given. `row` is where it came from in `segment`, `to` where it is now. */
export type Rewrite = (segment: Segment, stream: number, row: number, to: number) => void;

const SAME = { domain: (name: number) => name, guest: (name: number) => name, rid: (name: number) => name };

/** Moves the addresses of every stream that is known. */
export function createRewrite({ spaces }: Survey, sink: EventSink): Rewrite {
  const words = new Int32Array(8);
  const nameCommand = createCommandNames();
  const { physicalBytes } = spaces;

  const list = (column: BytesColumn, of: BytesColumn, row: number, to: number, bytes: number): void => {
    const start = of.offsets[row] ?? 0;
    const end = of.offsets[row + 1] ?? 0;
    if (end <= start) return;
    const { dma, phys } = decodeSgList(of.data.subarray(start, end));
    const moved = encodeSgList({
      dma: dma.map(({ address, size }) => ({ address: address + BigInt(bytes), size })),
      phys: phys.map((address) => address + BigInt(physicalBytes)),
    });
    // in place: the copy has the same length
    const at = column.offsets[to] ?? 0;
    column.data.set(moved, at);
  };

  const command = (segment: Segment, row: number, to: number): void => {
    const { columns } = sink.rows.inv;
    const form = columns.form[to]!;
    if (form === INV_FORM.reset && columns.w0Lo[to] === RESET.queueSetup) {
      moveAddress(columns.w1Lo, columns.w1Hi, to, physicalBytes);
    }
    if (form !== INV_FORM.words && form !== INV_FORM.decoded) return;
    const dialect = columns.dialect[to]!;
    readWords(segment, row, words);
    const { domain, device, guest } = nameCommand(dialect, words);
    const byGuest = domain === ABSENT && device === ABSENT && guest !== ABSENT;
    const bytes = byGuest ? spaces.bytesOfGuest(guest) : spaces.bytesOf(domain, device);
    renameCommand(dialect, words, SAME, bytes / 4096);
    moveCommandMemory(dialect, words, physicalBytes);
    columns.w0Lo[to] = words[0]!;
    columns.w0Hi[to] = words[1]!;
    columns.w1Lo[to] = words[2]!;
    columns.w1Hi[to] = words[3]!;
    columns.w2Lo[to] = words[4]!;
    columns.w2Hi[to] = words[5]!;
    columns.w3Lo[to] = words[6]!;
    columns.w3Hi[to] = words[7]!;
  };

  return (segment, stream, row, to) => {
    switch (stream) {
      case STREAM_ID.map: {
        const { columns } = sink.rows.map;
        const bytes = spaces.bytesOf(columns.domain[to]!, columns.device[to]!);
        moveAddress(columns.iovaLo, columns.iovaHi, to, bytes);
        moveAddress(columns.physLo, columns.physHi, to, physicalBytes);
        list(columns.list, segment.rows.map.columns.list, row, to, bytes);
        return;
      }
      case STREAM_ID.unmap: {
        const { columns } = sink.rows.unmap;
        const bytes = spaces.bytesOf(columns.domain[to]!, columns.device[to]!);
        moveAddress(columns.iovaLo, columns.iovaHi, to, bytes);
        list(columns.list, segment.rows.unmap.columns.list, row, to, bytes);
        return;
      }
      case STREAM_ID.dma: {
        const { columns } = sink.rows.dma;
        const bytes = spaces.bytesOf(columns.domain[to]!, columns.rid[to]!);
        moveAddress(columns.iovaLo, columns.iovaHi, to, bytes);
        // what was passed through untranslated stays the address that it is
        const bypass = (columns.outcome[to]! & OUTCOME.bypass) !== 0;
        if ((columns.outcome[to]! & OUTCOME.fault) === 0)
          moveAddress(columns.outLo, columns.outHi, to, bypass ? bytes : physicalBytes);
        return;
      }
      case STREAM_ID.fault: {
        const { columns } = sink.rows.fault;
        moveAddress(columns.iovaLo, columns.iovaHi, to, spaces.bytesOf(ABSENT, columns.rid[to]!));
        return;
      }
      case STREAM_ID.prq: {
        const { columns } = sink.rows.prq;
        moveAddress(columns.iovaLo, columns.iovaHi, to, spaces.bytesOf(ABSENT, columns.rid[to]!));
        return;
      }
      case STREAM_ID.flush: {
        const { columns } = sink.rows.flush;
        if (columns.op[to] === FLUSH.all || isEverything(columns, to)) return;
        const bytes = spaces.bytesOf(columns.domain[to]!, columns.device[to]!);
        moveAddress(columns.startLo, columns.startHi, to, bytes);
        moveAddress(columns.endLo, columns.endHi, to, bytes);
        if (isPages(columns.mask[to]!)) moveAddress(columns.addrLo, columns.addrHi, to, bytes);
        return;
      }
      case STREAM_ID.dirty: {
        const { columns } = sink.rows.dirty;
        if (columns.space[to] !== DIRTY_SPACE.iova) moveAddress(columns.iovaLo, columns.iovaHi, to, spaces.memoryBytes);
        return;
      }
      case STREAM_ID.inv:
        command(segment, row, to);
        return;
      default:
    }
  };
}
