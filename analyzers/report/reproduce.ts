import type { Envelope } from '../../traces/envelope.ts';
import { printable } from './escape.ts';

function quoted(word: string): string {
  const plain = printable(word);
  return /^[\w@%+=:,./-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", `'\\''`)}'`;
}

/**
 * The command line that gives this result again: the inputs and every effective option. Lists are joined with commas, but for
 * those of `name=value`, which repeat the option.
 */
export function reproduceCommand(report: Pick<Envelope<string, unknown>, 'command' | 'input' | 'options'>): string {
  const words = ['iorr', report.command, ...report.input.map((input) => quoted(input.file))];
  for (const [name, value] of Object.entries(report.options)) {
    if (value === null || value === false) continue;
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === true) words.push(quoted(flag));
    else if (typeof value !== 'object') words.push(quoted(flag), quoted(String(value)));
    else if (value.some((item) => /[=,]/.test(item))) {
      for (const item of value) words.push(quoted(flag), quoted(item));
    } else if (value.length > 0) words.push(quoted(flag), quoted(value.join(',')));
  }
  return words.join(' ');
}
