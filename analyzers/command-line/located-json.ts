import { IorrError } from '../../traces/errors.ts';

/** A value of a JSON text, with the line that it begins in. */
export interface Located {
  readonly line: number;
  readonly value: string | number | boolean | null | readonly Located[] | ReadonlyMap<string, Located>;
}

/** Of lists and objects in one another. */
const MOST_DEPTH = 16;
/** A number, as JSON writes it. */
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** A string, with its quotes: "a\n\u0041". */
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;

/**
 * Reads JSON and keeps lines, which `JSON.parse` forgets. A name that stands twice in an object is an error here: which of the two
 * is meant? Throws `USAGE` with file and line.
 */
export function parseLocated(text: string, file: string): Located {
  let at = 0;
  let line = 1;

  const fail = (message: string): IorrError =>
    new IorrError('USAGE', message, { place: { file, line }, hint: 'settings are JSON: {"compare": {"seed": 7}}' });
  const found = (): string => (at < text.length ? `found ${JSON.stringify(text[at])}` : 'found the end');
  const skip = (): void => {
    for (; at < text.length && ' \t\r\n'.includes(text[at] ?? ''); at++) if (text[at] === '\n') line += 1;
  };
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const [match] = pattern.exec(text) ?? [];
    if (match !== undefined) at += match.length;
    return match;
  };
  const eat = (mark: string): boolean => {
    skip();
    if (text[at] !== mark) return false;
    at += 1;
    return true;
  };
  const items = (end: string, item: () => void): void => {
    if (eat(end)) return;
    do item();
    while (eat(','));
    if (!eat(end)) throw fail(`',' or '${end}' expected, ${found()}`);
  };
  const read = (depth: number): Located => {
    skip();
    const from = line;
    if (depth > MOST_DEPTH) throw fail(`more than ${MOST_DEPTH} lists or objects in one another`);
    if (eat('{')) {
      const value = new Map<string, Located>();
      items('}', () => {
        skip();
        const name = take(STRING);
        if (name === undefined) throw fail(`a name in quotes expected, ${found()}`);
        const key = String(JSON.parse(name));
        if (value.has(key)) throw fail(`${name} stands twice`);
        if (!eat(':')) throw fail(`':' expected behind ${name}, ${found()}`);
        value.set(key, read(depth + 1));
      });
      return { line: from, value };
    }
    if (eat('[')) {
      const value: Located[] = [];
      items(']', () => value.push(read(depth + 1)));
      return { line: from, value };
    }
    const plain = take(STRING) ?? take(NUMBER) ?? take(WORD);
    if (plain === undefined) throw fail(`a value expected, ${found()}`);
    return { line: from, value: JSON.parse(plain) as string | number | boolean | null };
  };

  // a byte order mark, which some editors write
  if (text.startsWith('\uFEFF')) at = 1;
  const whole = read(0);
  skip();
  if (at < text.length) throw fail(`nothing more expected, ${found()}`);
  return whole;
}
