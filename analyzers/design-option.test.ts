import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { vtdServer } from '../replay/hardware/vtd-server.ts';
import { armServer } from '../replay/costs/arm-server.ts';
import { compareTrace } from '../replay/engine/compare.ts';
import { openTrace } from '../traces/index.ts';
import { askedDesigns } from './design-option.ts';

const CORPUS = resolve(import.meta.dirname, '../traces/corpus');
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'iorr-designs-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function module(name: string, text: string): string {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, text);
  return file;
}

describe('files that hold no design', () => {
  const good = "name: 'mine.a', value: 1, unit: 'ns', source: 'a guess'";
  test.each([
    ['empty', '', 'no export is a design'],
    ['throws', "throw new Error('at import')", 'it does not load: at import'],
    ['long', 'a'.repeat(1_000_000), 'it does not load: a'],
    [
      'getter',
      "export default { get name() { throw new Error('no') }, create() {} }",
      "an export can't be looked at: no",
    ],
    ['parameters-null', "export default { name: 'mine', parameters: null, create() {} }", 'is no list'],
    ['parameter-null', "export default { name: 'mine', parameters: [null], create() {} }", 'is not mine.something'],
    [
      'standing',
      `export default { name: 'mine', parameters: [{ ${good}, standing: 'sure' }], create() {} }`,
      "'mine.a'",
    ],
    [
      'twice',
      `const a = { ${good}, standing: 'assumed' }; export default { name: 'mine', parameters: [a, a], create() {} }`,
      'once',
    ],
    ['promise', "export default { name: 'mine', promise: 'soon', create() {} }", 'unknown promise'],
    ['summary', "export default { name: 'mine', summary: 5, create() {} }", 'no text as its summary'],
  ])('%s', async (name, text, message) => {
    const error = await askedDesigns(module(name, text)).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ name: 'IorrError', place: { file: join(folder, `${name}.mjs`) } });
    expect(String(error)).toContain(message);
    expect(String(error).length).toBeLessThan(1000);
  });

  test('a folder, a device, and a file of 17 MB', async () => {
    const large = module('large', ' '.repeat(17 << 20));
    for (const file of [`${folder}/`, '/dev/zero', large]) {
      await expect(askedDesigns(file)).rejects.toMatchObject({ code: 'FILE_UNREADABLE', place: { file } });
    }
  });

  test('a value behind a second @ is no number', async () => {
    await expect(askedDesigns('batch-n@8@9')).rejects.toMatchObject({ code: 'USAGE' });
    expect((await askedDesigns('batch-n@8')).names).toEqual(['batch-n@8']);
  });
});

describe('designs that end their worker or never return', () => {
  const mapping = (what: string): string =>
    `export default { name: 'mine', create(emit, context, parameter, blocks) {
      const strict = blocks.strict();
      const call = (name) => (...given) => strict[name](...given);
      const names = ['assignTag', 'unassignTag', 'setManaged', 'unmap', 'sync', 'syncMap', 'expire'];
      return { ...Object.fromEntries(names.map((name) => [name, call(name)])), map(intent) { ${what}; strict.map(intent); } };
    } }`;

  async function compared(file: string, signal?: AbortSignal): Promise<unknown> {
    const trace = openTrace(join(CORPUS, 'vtd-pri-pasid-7.2.iorr'));
    const asked = await askedDesigns(file);
    try {
      return await compareTrace(trace, {
        designs: asked.names,
        modules: asked.modules,
        hardware: vtdServer,
        profile: armServer,
        ...(signal === undefined ? {} : { signal }),
      });
    } finally {
      trace.close();
    }
  }

  test.each([
    ['rejects', "Promise.reject(new Error('late'))", 'late'],
    ['exits', 'process.exit(0)', 'exited'],
  ])('one that %s', async (name, what, message) => {
    const file = module(name, mapping(what));
    const error = await compared(file).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'DESIGN_FAILED', place: { file } });
    expect(String(error)).toContain(message);
  });

  test('one that loops is left alone when the comparison is aborted', async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 500);
    expect(await compared(module('loops', mapping('for (;;) {}')), abort.signal)).toBeUndefined();
  });
});
