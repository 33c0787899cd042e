import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ANALYSES } from '../analyzers/analyses.ts';
import { HEAD_BYTES } from '../recorder/import/importer.ts';
import { IMPORTERS, detectImporter } from '../recorder/import/importers.ts';
import { KERNEL_PROBES } from '../recorder/live/bpf/kernel-probes.ts';
import { LIVE_SOURCES } from '../recorder/live/live-sources.ts';
import { DESIGNS } from '../replay/designs/designs.ts';
import { COMMANDS } from '../cli.ts';
import { invocations } from './example-words.ts';
import { projectFiles, readText, root } from './files.ts';
import { parseCommand } from './parse-command.ts';

const FIXTURES = join(root, 'recorder/import/fixtures');
const index = readText('docs/README.md');
/** Page of each command, by the index. */
const pageOf = new Map(
  [...index.matchAll(/^\| `iorr ([a-z -]+)` \| \[[^\]]+\]\(([^)#]+)(?:#[^)]*)?\) \|$/gm)].map(
    ([, command = '', page = '']) => [command, posix.join('docs', page === 'sources/' ? 'sources/README.md' : page)],
  ),
);

/** A section of a page by its heading, up to the next one of its depth. */
function section(text: string, heading: string): string {
  const [before, after] = text.split(`\n## ${heading}\n`, 2);
  return before === undefined || after === undefined ? '' : (after.split(/^## /m)[0] ?? '');
}

describe('the index of commands', () => {
  test('has every command, with a page that is about it', () => {
    const commands = COMMANDS.map(({ name }) => name).filter((name) => name !== 'analyze');
    const named = [...commands, ...ANALYSES.map(({ name }) => `analyze ${name}`)];
    const wanted = 'a line in the table of docs/README.md, with the page that defines its numbers';
    const without = named.filter((name) => !pageOf.has(name));
    expect({ wanted, without }).toEqual({ wanted, without: [] });
    expect([...pageOf.values()].filter((page) => !existsSync(join(root, page)))).toEqual([]);
    const silent = [...pageOf].filter(([command, page]) => !readText(page).includes(`iorr ${command.split(' --')[0]}`));
    expect(silent).toEqual([]);
  });
});

/** Lines of a page's code that call iorr, without comments. */
function codeLines(path: string): readonly string[] {
  const text = readText(path);
  const blocks = [...text.matchAll(/^```sh.*\n([\s\S]*?)^```$/gm)].flatMap(([, body = '']) => body.split('\n'));
  const indented = [...text.matchAll(/^ {4}(.*)$/gm)].map(([, line = '']) => line);
  return [...blocks, ...indented]
    .map((line) => line.replace(/\s+#\s.*$/, ''))
    .filter((line) => /(^|\| )(\w+=\S+ )*iorr [a-z]/.test(line));
}

describe('commands of pages', async () => {
  const specs = await Promise.all(COMMANDS.map(({ load }) => load()));
  const pages = projectFiles().filter((path) => path === 'README.md' || /^docs\/.*\.md$/.test(path));

  test.each(pages)('%s has none that its parser refuses', async (path) => {
    const refused: string[] = [];
    for (const line of codeLines(path)) {
      for (const [name, ...words] of invocations(line)) {
        const spec = specs.find((one) => one.name === name);
        if (spec === undefined) refused.push(`${line}: no such command`);
        else await parseCommand(spec, words).catch((error: unknown) => refused.push(`${line}: ${String(error)}`));
      }
    }
    expect(refused).toEqual([]);
  });
});

test('lines of code that call iorr are found', () => {
  const lines = codeLines('docs/sources/tracefs.md');
  expect(lines).toContain('iorr record -o run.iorr -- fio job.fio');
  expect(codeLines('docs/command-line.md')).toContain('IORR_HARDWARE=vtd-64x4 iorr config replay');
});

describe('docs/sources', () => {
  const names = [...new Set([...IMPORTERS, ...LIVE_SOURCES].map(({ name }) => name))];

  test.each(names)('%s has a page that says how to capture, what is seen and what is lost', (name) => {
    const page = readText(`docs/sources/${name}.md`);
    expect(page).toMatch(new RegExp(`^# ${name}\n`));
    const parts = ['Capture', 'What it sees', 'What is lost, and how that shows', 'Clock', 'Needs and costs', 'Traps'];
    expect(parts.filter((part) => section(page, part).trim() === '')).toEqual([]);
    expect(section(page, 'Capture')).toMatch(/```sh|^ {4}\S/m);
    expect(readText('docs/sources/README.md')).toContain(`| \`${name}\` |`);
  });

  /** Streams that importers say their fixtures could show, by importer. */
  const seen = readdirSync(FIXTURES, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isFile() || /\.(gz|zst|md)$/.test(entry.name)) return [];
    const head = readFileSync(join(FIXTURES, entry.name)).subarray(0, HEAD_BYTES);
    const importer = detectImporter(head);
    return importer === undefined ? [] : [[importer.name, Object.keys(importer.describe(head).fidelity)] as const];
  });

  test.each(IMPORTERS)('the page of $name has each stream that it can show', ({ name }) => {
    const page = readText(`docs/sources/${name}.md`);
    // what the kernel's events show is told once
    const text = /\((tracefs|bpf)\.md\)/.test(section(page, 'What it sees'))
      ? `${page}${readText('docs/sources/tracefs.md')}`
      : page;
    const streams = new Set(seen.flatMap(([importer, names]) => (importer === name ? names : [])));
    expect(streams.size).toBeGreaterThan(0);
    const own = name === 'iorr' ? [] : [...streams];
    expect(own.filter((stream) => !['lost', 'mark'].includes(stream) && !text.includes(`\`${stream}\``))).toEqual([]);
  });

  test('the page of bpf has each probe of a kernel function, with its streams', () => {
    const page = readText('docs/sources/bpf.md');
    const names = KERNEL_PROBES.flatMap(({ name, streams }) => [name, ...Object.keys(streams)]);
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('docs/designs.md', () => {
  test.each(DESIGNS)('has a section about $name', ({ name, promise, parameters }) => {
    const text = section(readText('docs/designs.md'), name);
    expect(text).toMatch(/^\n\*\*Done by\*\* .+/);
    expect(text).toContain(`**Promise** \`${promise}\``);
    expect(parameters.filter((parameter) => !text.includes(`\`${parameter.name}\``))).toEqual([]);
    expect(text.includes('**Parameters** none')).toBe(parameters.length === 0);
  });
});
