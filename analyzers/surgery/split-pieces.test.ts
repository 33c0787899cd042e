import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { formatRequester } from '../../traces/units.ts';
import { cutWindow } from './cut-window.ts';
import { filterTrace } from './filter-trace.ts';
import { devicesOf, piecesByCount, piecesByMark, piecesByTime } from './split-pieces.ts';
import type { Piece } from './split-pieces.ts';
import { runSteps } from './surgery.ts';

const corpus = join(import.meta.dirname, '../../traces/corpus');

function open<T>(name: string, then: (trace: ReturnType<typeof openTrace>) => T): T {
  const trace = openTrace(join(corpus, name));
  try {
    return then(trace);
  } finally {
    trace.close();
  }
}

/** Every event is in one piece, in order. */
function expectWhole(pieces: readonly Piece[], events: number): void {
  expect(pieces[0]?.from).toBe(0);
  expect(pieces.at(-1)?.to).toBe(events);
  pieces.slice(1).forEach(({ from }, i) => expect(from).toBe(pieces[i]!.to));
}

describe('split', () => {
  test('pieces are the whole', () => {
    open('smmuv3-strict-6.12.iorr', (trace) => {
      for (const pieces of [piecesByTime(trace, 2e9), piecesByCount(trace, 50_000), piecesByMark(trace)]) {
        expect(pieces.length).toBeGreaterThan(2);
        expectWhole(pieces, trace.eventCount);
      }
      expect(piecesByMark(trace).map(({ name }) => name)).toContain('002-lab-dd-virtio-blk');
      expect(piecesByCount(trace, 50_000).map(({ name }) => name)).toEqual(['000', '001', '002', '003']);
    });
  });

  test('events of a piece lie in its time', () => {
    open('vtd-vfio-7.2.iorr', (trace) => {
      const every = 500_000_000;
      const pieces = piecesByTime(trace, every);
      const start = [...trace.segments()][0]!.time[0]!;
      for (const { from, to } of pieces) {
        const { fromNs, toNs } = runSteps(cutWindow(trace, from, to).steps(new MemoryTrace(trace.header)));
        expect(Math.floor((fromNs - start) / every)).toBe(Math.floor((toNs - start) / every));
      }
    });
  });

  test('of a device, all that names it', () => {
    open('vtd-pri-pasid-7.2.iorr', (trace) => {
      const devices = devicesOf(trace);
      expect(devices.map(formatRequester)).toContain('0000:01:00.0');
      let accesses = 0;
      for (const device of devices) {
        const { header, steps } = filterTrace(trace, { device });
        const { streams } = runSteps(steps(new MemoryTrace(header)));
        accesses += streams['dma']?.kept ?? 0;
        expect(header.fidelity.dma).toBe('partial');
      }
      expect(accesses).toBe(trace.streamCounts.dma);
    });
  });
});
