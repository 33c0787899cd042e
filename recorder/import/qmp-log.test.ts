import { describe, expect, test } from 'vitest';
import { DIRTY_OP } from '../../traces/schema.ts';
import { qmpLog } from './qmp-log.ts';
import { readImport } from './testing/read-import.ts';
import type { ReadImport } from './testing/read-import.ts';

function read(lines: readonly string[]): ReadImport {
  return readImport(qmpLog, lines, { file: 'q' });
}

const ASK = '1000.5 > {"execute": "query-migrate"}';

describe('a log of QMP', () => {
  test('an answer is kept whole, with the time that it took', () => {
    const { events, facts } = read([ASK, '1000.75 {"return": {"status": "active", "ram": {"dirty-sync-count": 3}}}']);
    expect(events).toMatchObject([
      { time: 750_000_000, fields: { op: DIRTY_OP.report, duration: 250_000_000n, count: 3n } },
    ]);
    expect(JSON.parse(String(events[0]?.fields['name']))).toEqual({
      'query-migrate': { status: 'active', ram: { 'dirty-sync-count': 3 } },
    });
    expect([facts.lines, facts.events, facts.folded]).toEqual([2, 1, 1]);
  });

  test('events have their own times, and never lie before what was read before them', () => {
    const pass = (us: number, n: number): string =>
      `1001.0 {"timestamp": {"seconds": 1000, "microseconds": ${us}}, "event": "MIGRATION_PASS", "data": {"pass": ${n}}}`;
    const status =
      '1001.1 {"timestamp": {"seconds": 1001, "microseconds": 5}, "event": "MIGRATION", "data": {"status": "active"}}';
    const { events } = read([ASK, pass(700_000, 1), pass(600_000, 2), status, '1001.2 {"event": "STOP"}']);
    expect(events.map(({ time, fields }) => [time, fields['op'], fields['count'], fields['name']])).toEqual([
      [700_000_000, DIRTY_OP.pass, 1n, null],
      [700_000_000, DIRTY_OP.pass, 2n, null],
      [1_000_005_000, DIRTY_OP.state, 0n, 'active'],
      [1_200_000_000, DIRTY_OP.state, 0n, 'STOP'],
    ]);
  });

  test('answers belong to questions in their order; other ones and errors are known and left out', () => {
    const { events, health, facts } = read([
      '1000.0 > {"execute": "migrate", "arguments": {"uri": "exec:cat > /dev/null"}}',
      ASK,
      '1000.6 {"return": {}}',
      '1000.7 {"error": {"class": "GenericError", "desc": "no"}}',
      '1000.8 > {"execute": "query-dirty-rate"}',
    ]);
    expect(events).toEqual([]);
    expect([facts.folded, health.ignored, health.unknown]).toEqual([1, 3, 1]);
    expect(health.entries.map(({ name }) => name)).not.toContain('exec:cat');
  });

  test('the version of QEMU is that of its greeting', () => {
    const greeting = '1000.0 {"QMP": {"version": {"qemu": {"micro": 3, "minor": 1, "major": 11}}, "capabilities": []}}';
    expect(read([greeting]).header.source.producer).toBe('QEMU 11.1.3');
    expect(read([ASK]).header.source.producer).toBe('QEMU');
  });

  test('other text is none, and an answer nested too deep is counted', () => {
    expect(qmpLog.detect(Buffer.from('1000.5 {"a": 1}\n'))).toBe(0);
    expect(qmpLog.detect(Buffer.from('{"execute": "query-migrate"}\n'))).toBe(0);
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const { health } = read([ASK, `1000.75 {"return": ${deep}}`, 'x', '99999999999.5 {"return": {}}']);
    expect([health.truncated, health.malformed]).toEqual([1, 2]);
  });
});
