import { describe, expect, test } from 'vitest';
import { DIRTY_OP, DIRTY_SPACE } from '../../../traces/schema.ts';
import { readLog } from '../testing/read-log-lines.ts';

function dirty(lines: readonly string[]) {
  return readLog(lines).of('dirty');
}

describe('writes to clean pages', () => {
  test('a write has its address in RAM; the page becomes dirty with it', () => {
    const rows = dirty([
      'memory_notdirty_write_access 0xffffffff81241ed2 ram_addr 0x1241ed2 size 4',
      'memory_notdirty_write_access 0xffffffff81241ed6 ram_addr 0x11241ed6 size 8',
      'memory_notdirty_set_dirty 0xffffffff81241ed6',
    ]);
    const common = { space: DIRTY_SPACE.ram };
    expect(rows).toMatchObject([
      { op: DIRTY_OP.write, iova: 0x1241ed2n, length: 4n, ...common },
      { op: DIRTY_OP.write, iova: 0x11241ed6n, length: 8n, ...common },
      { op: DIRTY_OP.set, iova: 0x11241ed6n, length: 8n, ...common },
    ]);
  });

  test('two CPUs at once: each page has its own write', () => {
    const rows = dirty([
      'memory_notdirty_write_access 0x7000 ram_addr 0x1000 size 4',
      'memory_notdirty_write_access 0x8000 ram_addr 0x2000 size 1',
      'memory_notdirty_set_dirty 0x7000',
      'memory_notdirty_set_dirty 0x8000',
    ]);
    expect(rows.slice(2)).toMatchObject([
      { op: DIRTY_OP.set, iova: 0x1000n, length: 4n },
      { op: DIRTY_OP.set, iova: 0x2000n, length: 1n },
    ]);
  });

  test('a page whose write is not in the log has no address: it is counted, not guessed', () => {
    const { facts, health, of } = readLog([
      'memory_notdirty_set_dirty 0x7000',
      'memory_notdirty_write_access 0x7000 ram_addr 0x1000 size 4',
      'memory_notdirty_set_dirty 0x7000',
      'memory_notdirty_set_dirty 0x7000',
    ]);
    expect(of('dirty')).toHaveLength(2);
    expect([facts.events, health.unknown]).toEqual([2, 2]);
  });
});

describe('synchronisations, states, pages sent', () => {
  test('a synchronisation has a beginning, an end, and the counter of its end', () => {
    const { events } = readLog([
      '2026-11-22T05:55:26.706852Z migration_bitmap_sync_start ',
      '2026-11-22T05:55:26.707961Z migration_bitmap_sync_end dirty_pages 16833',
      '2026-11-22T05:55:27.000000Z migration_bitmap_sync_end dirty_pages 4',
    ]);
    expect(events.map(({ time, fields }) => [time, fields['op'], fields['duration'], fields['count']])).toEqual([
      [0, DIRTY_OP.syncStart, 0n, 0n],
      [1_109_000, DIRTY_OP.sync, 1_109_000n, 16833n],
      [293_148_000, DIRTY_OP.sync, 0n, 4n],
    ]);
  });

  test.each([
    ['global_dirty_changed bitmask 0x1', { op: DIRTY_OP.start, flags: 1 }],
    ['global_dirty_changed bitmask 0x0', { op: DIRTY_OP.stop, flags: 0 }],
    [
      'migration_bitmap_clear_dirty rb 0000:00:01.0/vga.vram start 0x40000000 size 0x40000000 page 0x0',
      { op: DIRTY_OP.clear, iova: 0x40000000n, length: 0x40000000n, name: '0000:00:01.0/vga.vram', space: 2 },
    ],
    [
      'ram_save_page 0000:00:01.0/vga.vram: offset: 0x6000 host: 0x7fb877e06000',
      { op: DIRTY_OP.send, iova: 0x6000n, name: '0000:00:01.0/vga.vram', space: DIRTY_SPACE.block },
    ],
    [
      'migrate_transferred transferred 5000000000 time_spent 107 bandwidth 196 switchover_bw 24571 max_size 491430',
      { op: DIRTY_OP.sent, count: 5_000_000_000n, duration: 107_000_000n },
    ],
    [
      'migrate_transferred transferred 2629151 time_spent 107 bandwidth 196 max_size 491430',
      { op: DIRTY_OP.sent, count: 2629151n },
    ],
    ['cpu_throttle_set set guest CPU throttled by 30%', { op: DIRTY_OP.throttle, count: 30n }],
    ['dirtyrate_calculate dirty rate: 15 MB/s', { op: DIRTY_OP.rate, count: 15n << 20n }],
    ['dirtyrate_calculate dirty rate: 5000 MB/s', { op: DIRTY_OP.rate, count: 5000n << 20n }],
    ['migrate_set_state new state pre-switchover', { op: DIRTY_OP.state, name: 'pre-switchover' }],
  ])('%s', (line, expected) => {
    expect(dirty([line])).toMatchObject([expected]);
  });

  test.each([
    'memory_notdirty_write_access 0x7000 ram_addr 0x1000',
    'memory_notdirty_write_access 0x7000 ram_addr 1000 size 4',
    'memory_notdirty_set_dirty 7000',
    'migration_bitmap_sync_end dirty_pages ',
    'migration_bitmap_clear_dirty rb pc.ram size 0x40000000',
    'ram_save_page pc.ram offset: 0x6000',
    'cpu_throttle_set set guest CPU throttled by 30',
    'migrate_set_state new state ',
    'global_dirty_changed bitmask 1',
  ])('is not of its shape: %s', (line) => {
    const { facts, health } = readLog([line]);
    expect([facts.events, health.malformed]).toEqual([0, 1]);
  });
});
