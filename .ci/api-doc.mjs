// npm run docs:api: docs/api/ from the declarations of dist/, a page for each room that packages may import. Not by TypeDoc: no
// release of it works with TypeScript 7, whose compiler has no interface for other programs yet.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const ROOMS = ['traces', 'recorder', 'replay', 'analyzers', 'bench'];

/** Statements of a declaration file at its top level, each with the comment before it. */
function statementsOf(text) {
  const statements = [];
  let at = 0;
  while (at < text.length) {
    const comment = /^\s*(\/\*\*[\s\S]*?\*\/)?\s*/.exec(text.slice(at));
    at += comment[0].length;
    const from = at;
    let depth = 0;
    for (; at < text.length; at++) {
      const here = text[at];
      if (here === '/' && text[at + 1] === '*') at = text.indexOf('*/', at) + 1;
      else if (here === "'" || here === '"' || here === '`') at = text.indexOf(here, at + 1);
      else if ('{[('.includes(here)) depth += 1;
      else if ('}])'.includes(here)) depth -= 1;
      // a block ends what it belongs to, but for types, which end in a semicolon
      const block =
        here === '}' && depth === 0 && /^(export )?(declare )?(abstract )?(class|interface)\b/.test(text.slice(from));
      if ((here === ';' && depth === 0) || block) break;
    }
    const statement = text.slice(from, at + 1).trim();
    at += 1;
    if (statement !== '') statements.push({ statement, comment: comment[1] ?? '' });
  }
  return statements;
}

const NAME = /^export (?:declare )?(?:abstract )?(class|interface|type|function|const) (\w+)/;

/** What a module exports: its own declarations, and those that it passes on. */
function exportsOf(file) {
  const found = new Map();
  for (const { statement, comment } of statementsOf(readFileSync(file, 'utf8'))) {
    // export { a, type B } from './x.js'; export * from './x.js';
    const [, list, from] = /^export (?:type )?(\*|\{[^}]*\}) from ['"](.+)['"];?$/s.exec(statement) ?? [];
    if (from !== undefined) {
      const theirs = exportsOf(join(dirname(file), from.replace(/\.[jt]s$/, '.d.ts')));
      const names =
        list === '*'
          ? [...theirs.keys()]
          : list
              .slice(1, -1)
              .split(',')
              .map((name) => name.trim().replace(/^type /, ''));
      for (const name of names) {
        if (name === '') continue;
        const one = theirs.get(name);
        if (one === undefined) throw new Error(`${file}: ${from} has no ${name}`);
        found.set(name, one);
      }
      continue;
    }
    const [, kind, name] = NAME.exec(statement) ?? [];
    if (name === undefined) continue;
    const before = found.get(name);
    // a constant and the type of its values share a name
    const declaration = statement.replace(/^export (declare )?/, '');
    const all = before === undefined ? declaration : `${before.declaration}\n${declaration}`;
    found.set(name, { kind: before?.kind ?? kind, comment: before?.comment || comment, declaration: all });
  }
  return found;
}

/** A comment as text: without its frame. */
function textOf(comment) {
  return comment
    .replace(/^\/\*\*|\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim();
}

const HEADINGS = [
  ['function', 'Functions'],
  ['class', 'Classes'],
  ['const', 'Constants'],
  ['interface', 'Interfaces'],
  ['type', 'Types'],
];

/** Lines of a declaration that are shown: a table of all streams has hundreds. */
const MOST_LINES = 40;

/** Without what no caller can reach, and not endless. */
function publicPart(declaration) {
  const lines = declaration.split('\n').filter((line) => !/^\s*(#private|private )/.test(line));
  if (lines.length <= MOST_LINES || !declaration.startsWith('const ')) return lines.join('\n');
  return [...lines.slice(0, MOST_LINES), `// and ${lines.length - MOST_LINES} more lines`].join('\n');
}

/** The page of a room. */
export function apiPage(room) {
  const file = join(root, 'dist', room, 'index.d.ts');
  const [, about = ''] = /^\/\*\*(.*?)\*\//s.exec(readFileSync(join(root, room, 'index.ts'), 'utf8')) ?? [];
  const all = exportsOf(file);
  const lines = [
    `# iorr/${room}`,
    '',
    textOf(`/**${about}*/`),
    '',
    'Written by `npm run docs:api`, from the docstrings.',
  ];
  for (const [kind, heading] of HEADINGS) {
    const names = [...all.keys()].filter((name) => all.get(name).kind === kind).sort((a, b) => (a < b ? -1 : 1));
    if (names.length === 0) continue;
    lines.push('', `## ${heading}`);
    for (const name of names) {
      const { comment, declaration } = all.get(name);
      lines.push('', `### ${name}`, '');
      if (comment !== '') lines.push(textOf(comment), '');
      lines.push('```ts', publicPart(declaration), '```');
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Names that a room exports without a docstring. */
export function undocumented(room) {
  return [...exportsOf(join(root, 'dist', room, 'index.d.ts'))].flatMap(([name, { comment }]) =>
    comment === '' ? [name] : [],
  );
}

/** Every page of docs/api/, by its path. */
export function apiPages() {
  const pages = ROOMS.map((room) => [`docs/api/${room}.md`, apiPage(room)]);
  const list = ROOMS.map((room) => {
    const [, , about = ''] = pages.find(([path]) => path.endsWith(`/${room}.md`))[1].split('\n');
    return `| [iorr/${room}](${room}.md) | ${about} |`;
  });
  const index = [
    '# API',
    '',
    'What a program may import, by entry, with types and docstrings. How to begin: [As a library](../library.md).',
    '',
    '| import | holds |',
    '|---|---|',
    ...list,
    '',
  ];
  return new Map([['docs/api/README.md', index.join('\n')], ...pages]);
}

if (process.argv[1] === import.meta.filename) {
  mkdirSync(join(root, 'docs/api'), { recursive: true });
  for (const [path, text] of apiPages()) writeFileSync(join(root, path), text);
}
