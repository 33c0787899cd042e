import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readText } from '../../.ci/files.ts';
import { PEERS, writeOracleGeneral } from './peers.ts';

test('a trace for libCacheSim has a record an access, with its next use', () => {
  const folder = mkdtempSync(join(tmpdir(), 'iorr-peers-'));
  const file = join(folder, 'pages');
  writeOracleGeneral(file, Float64Array.from([7, 2 ** 40, 7]));
  const bytes = readFileSync(file);
  rmSync(folder, { recursive: true });
  const records = [0, 24, 48].map((at) => [bytes.readBigUInt64LE(at + 4), bytes.readUInt32LE(at + 12)]);
  expect(records).toEqual([
    [8n, 4096],
    [2n ** 40n + 1n, 4096],
    [8n, 4096],
  ]);
  expect([0, 24, 48].map((at) => bytes.readBigInt64LE(at + 16))).toEqual([2n, -1n, -1n]);
});

test('the document names every peer, with its figures', () => {
  const document = readText('docs/peers.md');
  const figures = PEERS.flatMap(({ measured }) => measured.match(/[\d.]+/g) ?? []);
  expect(PEERS.filter(({ name }) => !document.includes(name.split(' ')[0] ?? name))).toEqual([]);
  expect(figures.filter((figure) => !document.includes(figure))).toEqual([]);
});
