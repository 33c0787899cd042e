import { describe, expect, test } from 'vitest';
import { readText } from './files.ts';

describe('README.md', () => {
  test('names only scripts of package.json', () => {
    const { scripts } = JSON.parse(readText('package.json')) as {
      readonly scripts: { readonly [name: string]: string };
    };
    const text = readText('README.md');
    const named = [...text.matchAll(/npm (?:run )?(start|test|setup|bench|corpus|validate|docs)\b/g)].map(
      ([, name = '']) => name,
    );
    expect(named).toContain('start');
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});
