import { describe, expect, test } from 'vitest';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { ACCESS, DIRTY_OP, DIRTY_SPACE, ORIGIN, OUTCOME, STREAM_ID } from '../../traces/schema.ts';
import { testHeader } from '../../traces/testing/test-header.ts';
import { OPERATION, readWriteStream, withoutReads } from './write-stream.ts';
import type { WriteStream } from './write-stream.ts';

function emptyTrace(): MemoryTrace {
  return new MemoryTrace(testHeader());
}

function dma(
  trace: MemoryTrace,
  at: number,
  columns: Partial<Record<'domain' | 'iovaLo' | 'length' | 'access' | 'outcome' | 'perm', number>>,
): void {
  const row = trace.begin(STREAM_ID.dma, at, -1, -1);
  for (const [name, value] of Object.entries(columns)) {
    trace.rows.dma.columns[name as 'domain'][row] = value;
  }
}

function map(
  trace: MemoryTrace,
  at: number,
  domain: number,
  page: number,
  pages: number,
  origin: number = ORIGIN.iommu,
): void {
  const row = trace.begin(STREAM_ID.map, at, 0, 1);
  const { columns } = trace.rows.map;
  columns.origin[row] = origin;
  columns.domain[row] = domain;
  columns.iovaLo[row] = page << 12;
  columns.sizeLo[row] = pages << 12;
}

function dirty(
  trace: MemoryTrace,
  at: number,
  op: number,
  address = 0,
  length = 0,
  space: number = DIRTY_SPACE.ram,
): void {
  const row = trace.begin(STREAM_ID.dirty, at, -1, -1);
  const { columns } = trace.rows.dirty;
  columns.op[row] = op;
  columns.iovaLo[row] = address;
  columns.lengthLo[row] = length;
  columns.space[row] = space;
  columns.flags[row] = 1;
}

/** Operations as text: `write 1:0x10+2`, by domain. */
function told(stream: WriteStream | undefined): readonly string[] {
  const names = Object.keys(OPERATION);
  return Array.from({ length: stream?.length ?? 0 }, (_, i) => {
    const { kind, domains, space, page, count } = stream!;
    return `${names[kind[i]!]} ${domains[space[i]!]}:${page[i]}+${count[i]}`;
  });
}

describe('accesses of devices', () => {
  test('are reads, writes, or what the mapping allows', () => {
    const trace = emptyTrace();
    map(trace, 1, 7, 16, 32);
    map(trace, 1, 7, 16, 32, ORIGIN.dmaApi);
    dma(trace, 2, { domain: 7, iovaLo: 0x10ff0, length: 32, access: ACCESS.write });
    dma(trace, 3, { domain: 7, iovaLo: 0x11000, length: 4096, access: ACCESS.read });
    dma(trace, 4, { domain: 7, iovaLo: 0x12000, length: 1, access: 0, perm: 3 });
    dma(trace, 5, { domain: 7, iovaLo: 0x13000, length: 0, access: 0, perm: 1 });
    dma(trace, 6, { domain: 8, iovaLo: 0x13000, length: 1, access: ACCESS.write });
    dma(trace, 7, { domain: 7, iovaLo: 0x13000, length: 1, access: ACCESS.write, outcome: OUTCOME.fault });
    const stream = readWriteStream(trace);
    expect(told(stream)).toEqual(['map 7:16+32', 'write 7:16+2', 'read 7:17+1', 'write 7:18+1', 'read 7:19+1']);
    expect(stream).toMatchObject({ source: 'dma', startNs: 1, endNs: 5, ignored: 2, assumed: 1 });
    expect(told(withoutReads(stream!))).toEqual(['map 7:16+32', 'write 7:16+2', 'write 7:18+1']);
  });

  test('none that writes', () => {
    const trace = emptyTrace();
    map(trace, 1, 7, 16, 32);
    dma(trace, 2, { domain: 7, iovaLo: 0x10000, length: 32, access: ACCESS.read });
    expect(() => readWriteStream(trace)).toThrow(/no write/);
    expect(() => readWriteStream(emptyTrace())).toThrow(/has none/);
  });
});

describe('writes that QEMU logged', () => {
  test('are those of RAM, each once, in memory that maps to itself', () => {
    const trace = emptyTrace();
    dirty(trace, 10, DIRTY_OP.write, 0x5000, 8);
    dirty(trace, 11, DIRTY_OP.set, 0x5000, 8);
    dirty(trace, 12, DIRTY_OP.start);
    dirty(trace, 13, DIRTY_OP.write, 0x40_0ffc, 8);
    dirty(trace, 14, DIRTY_OP.write, 0x9000, 8, DIRTY_SPACE.block);
    dirty(trace, 15, DIRTY_OP.syncStart);
    dirty(trace, 16, DIRTY_OP.write, 0x6000, 4);
    dirty(trace, 17, DIRTY_OP.syncStart);
    const stream = readWriteStream(trace);
    // 4 MiB and two pages, in steps of 2 MiB
    expect(told(stream)).toEqual(['map 0:0+1536', 'write 0:5+1', 'write 0:1024+2', 'write 0:6+1']);
    // the first synchronisation begins the tracking; the last one follows the last write
    expect(stream).toMatchObject({ source: 'ram', startNs: 15, endNs: 17, harvests: [17] });
  });

  test('are the pages that became dirty where there are no others', () => {
    const trace = emptyTrace();
    dirty(trace, 11, DIRTY_OP.set, 0x5000, 8);
    expect(told(readWriteStream(trace))).toEqual(['map 0:0+512', 'write 0:5+1']);
  });

  test('what management was told of the size counts, if it is a size', () => {
    const sized = (text: string): number | undefined => {
      const trace = emptyTrace();
      dirty(trace, 1, DIRTY_OP.write, 0x5000, 8);
      dirty(trace, 2, DIRTY_OP.report);
      trace.rows.dirty.columns.name[1] = trace.intern(text);
      return readWriteStream(trace)?.count[0];
    };
    expect(sized('{"query-migrate":{"ram":{"total":8388608}}}')).toBe(2048);
    for (const text of ['', '{', 'null', '{"query-migrate":null}', '{"query-migrate":{"ram":{"total":-1}}}']) {
      expect(sized(text)).toBe(512);
    }
  });
});
