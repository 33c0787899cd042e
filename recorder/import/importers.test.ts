import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { PlainEvent } from '../../traces/event.ts';
import { ABSENT_BY_DEFAULT } from '../../traces/segment.ts';
import { decompress } from './decompress.ts';
import { HEAD_BYTES } from './importer.ts';
import type { ImportFacts, Importer } from './importer.ts';
import { IMPORTERS, SURE_ENOUGH, detectImporter, findImporter } from './importers.ts';
import { readImport } from './testing/read-import.ts';

const FOLDER = fileURLToPath(new URL('fixtures/', import.meta.url));
const FIXTURES = readdirSync(FOLDER).filter((name) => /\.(txt|log|jsonl|hex|dat|data|iorr|gz|zst)$/.test(name));
const TEXT_FIXTURES = FIXTURES.filter((name) => /\.(txt|log|jsonl|hex)$/.test(name));
const PLAIN_FIXTURES = FIXTURES.filter((name) => !/\.(gz|zst)$/.test(name));

async function readFixture(name: string): Promise<Uint8Array> {
  async function* file(): AsyncGenerator<Uint8Array> {
    yield readFileSync(FOLDER + name);
  }
  const parts: Uint8Array[] = [];
  for await (const part of decompress(file(), (what) => expect.fail(what))) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts);
}

function bytesText(value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}

/** One event a line; columns that hold what an untouched row holds are left out. */
function eventLine({ stream, time, cpu, task, fields }: PlainEvent): string {
  const set = Object.entries(fields).filter(([name, value]) => !isUntouched(name, value));
  return JSON.stringify({
    t: time,
    cpu,
    task,
    stream,
    ...Object.fromEntries(set.map(([name, value]) => [name, bytesText(value)])),
  });
}

function isUntouched(name: string, value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return ABSENT_BY_DEFAULT.has(name) ? value === -1 || value === null : value === 0n || value === 0;
}

/** Everything that an import of these bytes gives, as text. */
function dump(importer: Importer, name: string, bytes: Uint8Array, chunk = bytes.length): string {
  const { header, events, facts, health } = readImport(importer, bytes, { file: name, chunk });
  return `${[JSON.stringify(header), ...events.map(eventLine), JSON.stringify(facts), JSON.stringify(health)].join('\n')}\n`;
}

describe('the registry of importers', () => {
  test('names are unique, and found', () => {
    const names = IMPORTERS.map((importer) => importer.name);
    expect(new Set(names).size).toBe(names.length);
    for (const importer of IMPORTERS) expect(findImporter(importer.name)).toBe(importer);
  });

  test.each(IMPORTERS.map((importer) => [importer.name, importer] as const))(
    '%s says what it is',
    (_name, importer) => {
      expect(importer.name).toMatch(/^[a-z]+(-[a-z0-9]+)*$/);
      expect(importer.description).toMatch(/^\S.{10,110}\S$/);
    },
  );

  test.each(IMPORTERS.map((importer) => [importer.name, importer] as const))(
    '%s has a fixture',
    async (_name, importer) => {
      const heads = await Promise.all(FIXTURES.map(readFixture));
      expect(heads.some((head) => importer.detect(head.subarray(0, HEAD_BYTES)) >= SURE_ENOUGH)).toBe(true);
    },
  );

  test.each(FIXTURES)('%s is claimed by exactly one', async (name) => {
    const head = (await readFixture(name)).subarray(0, HEAD_BYTES);
    const claims = IMPORTERS.filter((importer) => importer.detect(head) >= SURE_ENOUGH);
    expect(claims).toHaveLength(1);
    expect(detectImporter(head)).toBe(claims[0]);
  });

  test('nothing claims what is no capture', () => {
    const texts = ['', '\n', 'hello world\n', '{"a":1}\n', 'a_b\n', '[0] 1: x\n', '\0\0\0\0\n\x7fELF\n'];
    for (const text of texts) expect([text, detectImporter(Buffer.from(text))?.name]).toEqual([text, undefined]);
  });
});

describe('fixtures', () => {
  test.each(PLAIN_FIXTURES)('%s becomes what its golden file holds', async (name) => {
    const bytes = await readFixture(name);
    const importer = detectImporter(bytes.subarray(0, HEAD_BYTES))!;
    await expect(dump(importer, name, bytes)).toMatchFileSnapshot(`fixtures/golden/${name}.ndjson`);
  });

  test.each(PLAIN_FIXTURES)('%s gives the same in chunks of 1, 7 and 100 bytes', async (name) => {
    const bytes = await readFixture(name);
    const importer = detectImporter(bytes.subarray(0, HEAD_BYTES))!;
    const whole = dump(importer, name, bytes);
    for (const chunk of [1, 7, 100]) expect(dump(importer, name, bytes, chunk)).toBe(whole);
  });

  test.each(TEXT_FIXTURES)('%s gives the same with \\r\\n', async (name) => {
    const bytes = await readFixture(name);
    const importer = detectImporter(bytes.subarray(0, HEAD_BYTES))!;
    const dos = Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
    expect(detectImporter(dos.subarray(0, HEAD_BYTES))).toBe(importer);
    expect(dump(importer, name, dos)).toBe(dump(importer, name, bytes));
  });

  test.each(PLAIN_FIXTURES)('every line of %s is in exactly one count', async (name) => {
    const bytes = await readFixture(name);
    const importer = detectImporter(bytes.subarray(0, HEAD_BYTES))!;
    const lines = dump(importer, name, bytes).trimEnd().split('\n');
    const facts = JSON.parse(lines.at(-2)!) as ImportFacts;
    const health = JSON.parse(lines.at(-1)!) as { malformed: number; unknown: number; ignored: number };
    expect(health.malformed).toBe(0);
    expect(
      facts.events + facts.folded + facts.blank + facts.skipped + health.malformed + health.unknown + health.ignored,
    ).toBe(facts.lines);
  });

  test.each(FIXTURES.filter((name) => /\.(gz|zst)$/.test(name)))('%s is its plain file, compressed', async (name) => {
    const plain = readFileSync(FOLDER + name.replace(/\.(gz|zst)$/, ''));
    expect(Buffer.compare(await readFixture(name), plain)).toBe(0);
  });
});
