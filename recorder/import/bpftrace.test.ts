import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { PlainEvent } from '../../traces/event.ts';
import { decodeUserMemory } from '../../traces/user-memory.ts';
import { bpftrace } from './bpftrace.ts';
import { readImport } from './testing/read-import.ts';
import type { ReadImport } from './testing/read-import.ts';

const FIXTURES = new URL('fixtures/', import.meta.url);

function read(bytes: Uint8Array): ReadImport {
  return readImport(bpftrace, bytes);
}

const hex = (value: unknown): string => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : '');

/** What a program passed, whenever it ran and whatever its addresses were. */
function passed({ fields }: PlainEvent): readonly unknown[] {
  const memory = fields['memory'] instanceof Uint8Array ? decodeUserMemory(fields['memory']) : [];
  const size = hex(fields['before']).slice(0, 8);
  return [
    fields['request'],
    size,
    fields['errno'],
    fields['seen'],
    memory.map((item) => [item.field, hex(item.before)]),
  ];
}

describe("output of iorr's program for bpftrace", () => {
  test('is the same as text and as JSON: struct bytes, memory, results of one program', () => {
    const [text, json] = ['bpftrace-ioctls.txt', 'bpftrace-ioctls.jsonl'].map((name) => {
      const bytes = readFileSync(new URL(name, FIXTURES));
      expect(bpftrace.detect(bytes)).toBeGreaterThan(0.9);
      return read(bytes).events.filter(({ stream }) => stream === 'ioctl');
    });
    expect(text?.map(passed)).toEqual(json?.map(passed));
    expect(text?.map(({ fields }) => Number(fields['request']) & 0xff)).toEqual([0x81, 0x82, 0x85, 0x8d, 0x86, 0x80]);
    // The ranges 0, 1, ..., 31 and an array of one entry, which the program filled.
    const ranges = Array.from({ length: 32 }, (_, i) => i.toString(16).padStart(2, '0')).join('');
    expect(passed(text?.[1] as PlainEvent).at(-1)).toEqual([['allowed_iovas', ranges]]);
    expect(passed(text?.[3] as PlainEvent).at(-1)).toEqual([['data_uptr', '42'.repeat(16)]]);
  });

  test('a file that was cut while it was written is read up to its last whole line', () => {
    const bytes = readFileSync(new URL('bpftrace-ioctls.txt', FIXTURES));
    const text = bytes.toString('latin1');
    const cut = text.indexOf('\nX ', text.length / 2) + 12;
    const { health, facts } = read(bytes.subarray(0, cut));
    expect(health).toMatchObject({ truncated: 1, malformed: 0 });
    const { malformed, ignored } = health;
    expect(facts.events + facts.folded + facts.blank + facts.skipped + malformed + ignored).toBe(facts.lines);
  });

  test('names what its probes could see, and counts what was lost', () => {
    const lines = [
      'Attaching 20 probes...',
      'S 1471937e6231 1 domains,amd-commands',
      'KM 1471937e6300 7 0 ffff8881 1000 2000 1000 3',
      'Lost 12 events',
      'KD 1471937e6400 7 0 0 1 2',
      '@mdomain[7]: 4',
      'what somebody else wrote',
      '',
    ];
    const { header, events, health } = read(Buffer.from(lines.join('\n')));
    expect(header.fidelity).toMatchObject({ map: 'full', inv: 'full', ioctl: 'full' });
    expect(header.fidelity.prq).toBeUndefined();
    expect(header.clock).toMatchObject({ epochNs: String(0x1471_937e_6231), name: 'boot' });
    // The loss came out before the rows around it were in order.
    expect(new Set(events.map(({ stream }) => stream))).toEqual(new Set(['call', 'map', 'inv', 'lost']));
    expect(health).toMatchObject({ lost: 12, malformed: 1 });
  });
});
