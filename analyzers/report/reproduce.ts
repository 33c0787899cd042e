import type { Envelope } from '../../traces/envelope.ts';
import { printable } from './escape.ts';

/** A word of a command line, in quotes where a shell would take it apart. */
export function shellWord(word: string): string {
  const plain = printable(word);
  return /^[\w@%+=:,./-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", `'\\''`)}'`;
}

/**
 * The command line that gives this result again: the inputs and every effective option. Lists are joined with commas, but for
 * those of `name=value`, which repeat the option.
 */
export function reproduceCommand(report: Pick<Envelope<string, unknown>, 'command' | 'input' | 'options'>): string {
  const words = ['iorr', report.command, ...report.input.map((input) => shellWord(input.file))];
  for (const [name, value] of Object.entries(report.options)) {
    if (value === null || value === false) continue;
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === true) words.push(shellWord(flag));
    else if (typeof value !== 'object') words.push(shellWord(flag), shellWord(String(value)));
    else if (value.some((item) => /[=,]/.test(item))) {
      for (const item of value) words.push(shellWord(flag), shellWord(item));
    } else if (value.length > 0) words.push(shellWord(flag), shellWord(value.join(',')));
  }
  return words.join(' ');
}
