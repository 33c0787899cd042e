/** Commands of a page that are run, and what the page shows of their output. */
export interface RunBlock {
  readonly commands: readonly string[];
  /** Exit code that all of them have. */
  readonly exit: number;
  /** Lines that the output has, in this order; what lies between them is left out. */
  readonly shown: readonly string[];
}

/**
 * Blocks marked ```sh run (```sh run 3 where the exit code is 3). A block marked ```text shown behind one of them is output of it.
 * Throws `RangeError` for output that no command comes before.
 */
export function runBlocks(page: string): readonly RunBlock[] {
  const blocks: { commands: string[]; exit: number; shown: string[] }[] = [];
  for (const [, info = '', body = ''] of page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)) {
    const [language, word, exit] = info.split(' ');
    const lines = body.split('\n').filter((line) => line.trim() !== '');
    if (language === 'sh' && word === 'run') blocks.push({ commands: lines, exit: Number(exit ?? 0), shown: [] });
    if (language !== 'text' || word !== 'shown') continue;
    const last = blocks.at(-1);
    if (last === undefined) throw new RangeError(`no command before: ${lines[0] ?? ''}`);
    last.shown.push(...lines);
  }
  return blocks;
}

const plain = (line: string): string => line.trim().replace(/\s+/g, ' ');

/** The first shown line that the output does not have behind the lines before it; undefined if it has all. `...` stands for anything. */
export function firstMissing(shown: readonly string[], output: string): string | undefined {
  const lines = output.split('\n').map(plain);
  let from = 0;
  for (const line of shown.map(plain)) {
    if (line === '...') continue;
    const at = lines.indexOf(line, from);
    if (at < 0) return line;
    from = at + 1;
  }
  return undefined;
}
