import { existsSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { projectFiles, readText, root } from './files.ts';

const pages = projectFiles().filter((path) => path.endsWith('.md'));
const INDEX = 'docs/README.md';

/** A page without what is between fences, indented as code or between backticks. */
function prose(path: string): string {
  return readText(path)
    .replace(/^```.*\n[\s\S]*?^```$/gm, '')
    .replace(/^ {4}.*$/gm, '')
    .replace(/`[^`\n]*`/g, '``');
}

/** Relative links of a page: `[file, anchor]`, the file empty for the page itself. */
function links(path: string): readonly (readonly [string, string])[] {
  return [...prose(path).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [file = '', anchor = ''] = target.split('#');
    return [[file === '' ? path : posix.join(posix.dirname(path), file), anchor] as const];
  });
}

/** Anchors that GitHub makes of a page's headings. */
function anchors(path: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const text = readText(path).replace(/^```.*\n[\s\S]*?^```$/gm, '');
  const names = [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) => {
    const name = title
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    return times === 0 ? name : `${name}-${times}`;
  });
  return new Set(names);
}

/** Pages that can be reached from one by links. */
function reachable(from: string): ReadonlySet<string> {
  const found = new Set([from]);
  for (const path of found) {
    if (!path.endsWith('.md') || !pages.includes(path)) continue;
    for (const [file] of links(path)) found.add(file);
  }
  return found;
}

describe('links of pages', () => {
  test.each(pages)('%s', (path) => {
    const missing = links(path).filter(([file, anchor]) => {
      if (!existsSync(join(root, file))) return true;
      if (anchor === '' || !statSync(join(root, file)).isFile()) return false;
      return !anchors(file).has(anchor);
    });
    expect(missing).toEqual([]);
  });

  test('lead from the index to every page', () => {
    const found = reachable(INDEX);
    const wanted = `a link from ${INDEX}, or from a page that it leads to`;
    const without = pages.filter((path) => path.startsWith('docs/') && !found.has(path));
    expect({ wanted, without }).toEqual({ wanted, without: [] });
    expect(links('README.md').map(([file]) => file)).toContain(INDEX);
  });
});

describe('names', () => {
  /** What is written otherwise, and how. */
  const WRONG =
    /(?<![\w./-])(IORR|Iorr|Qemu|qemu|Iommufd|IoTLB|VT-D|Vtd|SMMU v3|SMMUV3|smmuv3|Pasid|Github|libcachesim|LibCacheSim|DynamoRio|Dynamorio|Hypersio|HyperSio|Msgpack|Duckdb|duckdb|Perfetto's UI|Linux kernel's|Mib|KiBs|uS|[Aa]nalyse[rd]?)(?![\w./-])/;

  test.each(pages.filter((path) => path !== 'CHANGELOG.md'))('%s spells them as the others do', (path) => {
    const wrong = prose(path)
      .replace(/\]\([^)]*\)/g, ']')
      .split('\n')
      .filter((line) => WRONG.test(line));
    expect(wrong).toEqual([]);
  });
});
