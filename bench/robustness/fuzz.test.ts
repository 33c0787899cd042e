import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DOCUMENTS } from './fuzz-documents.ts';
import { FUZZ_KINDS, caseRandom, fuzzOrder } from './fuzz-kinds.ts';
import { fuzzSome } from './fuzz-some.ts';
import { FuzzThread } from './fuzz-thread.ts';
import { minimise, problemKey } from './minimise.ts';

const full = process.env['IORR_FULL'] === '1';
const EACH = full ? 20_000 : 150;

test('whole documents are what they are', () => {
  for (const { name, seeds, read } of DOCUMENTS) {
    for (const seed of seeds) {
      const bytes = typeof seed === 'string' ? new Uint8Array(Buffer.from(seed)) : seed;
      expect([name, read(Buffer.from(bytes).toString(), bytes)]).not.toEqual([name, undefined]);
    }
  }
});

test(`${EACH} damaged documents of each kind: no crash, no hang`, { timeout: 1_800_000 }, async () => {
  const only = DOCUMENTS.map(({ name }) => name);
  const report = await fuzzSome({ seed: 3, count: EACH * only.length, only });
  expect(report.findings).toEqual([]);
  expect(report.tallies.map(({ target }) => target).sort()).toEqual([...only].sort());
  for (const { files } of report.tallies) expect(files).toBe(EACH);
});

test('everything comes up in a run, evenly and often', () => {
  const order = fuzzOrder(undefined);
  for (const { name, weight } of FUZZ_KINDS) {
    expect([name, order.filter((kind) => kind.name === name).length]).toEqual([name, weight]);
  }
  expect(new Set(FUZZ_KINDS.map(({ name }) => name)).size).toBe(FUZZ_KINDS.length);
  expect(new Set(order.slice(0, 60)).size).toBeGreaterThan(10);
  expect(() => fuzzOrder(['nothing'])).toThrow('no target nothing');
});

test('a case follows from seed, target and number alone', () => {
  const kind = FUZZ_KINDS.find(({ name }) => name === 'import-strace')!;
  const places = { root: join(import.meta.dirname, '../..') };
  const bytes = (seed: number, number: number): string =>
    Buffer.from(kind.create(places).make(caseRandom(seed, kind.name, number, 'make')).bytes).toString('hex');
  expect(bytes(1, 5)).toBe(bytes(1, 5));
  expect(bytes(1, 5)).not.toBe(bytes(1, 6));
  expect(bytes(1, 5)).not.toBe(bytes(2, 5));
});

describe('the watchdog', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'iorr-fuzz-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const worker = (name: string, code: string, hangMs = 20_000): FuzzThread => {
    const file = join(folder, name);
    writeFileSync(
      file,
      `import { parentPort, workerData } from 'node:worker_threads';
       const board = new Int32Array(workerData.board);
       parentPort.on('message', ({ number }) => { Atomics.store(board, 0, number + 1); ${code} });`,
    );
    return new FuzzThread(file, { seed: 1, root: folder, only: undefined }, hangMs, 24);
  };
  const request = { kind: 'try', number: 7, bytes: new Uint8Array(0) } as const;

  test('ends what hangs, and says at which case', async () => {
    const thread = worker('hang.mjs', 'for (;;);', 400);
    expect(await thread.ask(request)).toEqual({ kind: 'hung', number: 7 });
    await thread.stop();
  });

  test('tells of a thread that runs out of memory, and starts another one', async () => {
    const thread = worker('memory.mjs', 'const all = []; for (;;) all.push(new Array(1000).fill(number));');
    for (let n = 0; n < 2; n++) {
      const end = await thread.ask(request);
      expect(end).toMatchObject({ kind: 'broken', number: 7 });
      expect(end.kind === 'broken' && end.problem).toContain('memory');
    }
    await thread.stop();
  }, 60_000);

  test('hears answers', async () => {
    const thread = worker('answer.mjs', "parentPort.postMessage({ kind: 'tried', problem: undefined });");
    expect(await thread.ask(request)).toEqual({ kind: 'reply', reply: { kind: 'tried', problem: undefined } });
    await thread.stop();
  });
});

test('an input is made as small as its problem allows', async () => {
  const bytes = new Uint8Array(Buffer.from(`${'x'.repeat(500)}AB${'y'.repeat(300)}C${'z'.repeat(77)}`));
  const small = await minimise(bytes, async (candidate) => /A.*C/.test(Buffer.from(candidate).toString()));
  expect(Buffer.from(small).toString()).toBe('AC');
  expect(problemKey('Error: row 12\n    at f (a.ts:5)')).toBe(problemKey('Error: row 7\n    at f (a.ts:5)'));
});
