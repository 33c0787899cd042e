/** Shell words up to what ends a command: `iorr cat a.iorr --limit 2 | head` is four. Quotes are taken off. */
export function shellWords(command: string): string[] {
  // 'two words', "two words", plain, or what ends a command
  const parts = command.matchAll(/'([^']*)'|"([^"]*)"|([|&;<>]+)|([^\s'"|&;<>]+)/g);
  const words: string[] = [];
  for (const [, single, double, end, plain] of parts) {
    if (end !== undefined) return words;
    words.push(single ?? double ?? plain ?? '');
  }
  return words;
}

/** The words behind each `iorr` of an example. */
export function invocations(example: string): string[][] {
  return example
    .split(/(?:^|[|&(]|\s)\s*iorr /)
    .slice(1)
    .map(shellWords);
}
