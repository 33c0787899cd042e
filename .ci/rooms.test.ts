import { describe, expect, test } from 'vitest';
import { allowedImport, importsOf, roomOf } from './rooms.ts';

describe('rooms', () => {
  test('a file belongs to the room of its first folder', () => {
    expect(roomOf('traces/format/frame.ts')).toBe('traces');
    expect(roomOf('cli.ts')).toBe('cli.ts');
    expect(roomOf('docs/format.md')).toBeUndefined();
  });

  test('traces/ imports nothing of ours, recorder/ not the replay but for the model of simulated workloads', () => {
    expect(allowedImport('traces/a.ts', 'traces/format/b.ts')).toBe(true);
    expect(allowedImport('traces/a.ts', 'replay/results.ts')).toBe(false);
    expect(allowedImport('recorder/import/a.ts', 'replay/model/vtd.ts')).toBe(false);
    expect(allowedImport('recorder/simulate/a.ts', 'replay/model/vtd.ts')).toBe(true);
    expect(allowedImport('recorder/simulate/a.ts', 'replay/engine/replay.ts')).toBe(false);
    expect(allowedImport('analyzers/report/html.ts', 'recorder/index.ts')).toBe(false);
    expect(allowedImport('analyzers/report/html.ts', 'cli.ts')).toBe(false);
    expect(allowedImport('replay/a.ts', 'package.json')).toBe(false);
    expect(allowedImport('replay/a.test.ts', 'recorder/index.ts')).toBe(true);
    expect(allowedImport('cli.ts', 'bench/index.ts')).toBe(true);
  });

  test('finds imports of every form', () => {
    const text = [
      "import { a } from './a.ts';",
      "import type { B } from '../traces/b.ts';",
      "export * from './c.ts';",
      "import './d.ts';",
      "const e = await import('../bench/e.ts');",
      "const f = new URL('./f-worker.js', import.meta.url);",
      "const g = new URL('../dist/cli.js', import.meta.url);",
      "import { readFileSync } from 'node:fs';",
    ].join('\n');
    expect(importsOf('replay/x.ts', text)).toEqual([
      'replay/a.ts',
      'traces/b.ts',
      'replay/c.ts',
      'replay/d.ts',
      'bench/e.ts',
      'replay/f-worker.js',
      'cli.ts',
    ]);
  });
});
