import { printable } from '../report/escape.ts';
import { shownValue } from './settings.ts';
import type { Setting } from './settings.ts';

/** What `--verbose` says before the run: what holds beside the defaults, and whence. */
export function settingsText(command: string, settings: readonly Setting[]): string {
  const lines = settings
    .filter(({ origin, name }) => origin !== 'default' && name !== 'verbose')
    .map((setting) => {
      const from = setting.origin === 'flag' ? '' : ` (${printable(setting.place)})`;
      return `  ${setting.name} = ${printable(shownValue(setting))}${from}`;
    });
  return `iorr: ${command}${lines.length === 0 ? ', all settings by default' : `\n${lines.join('\n')}`}\n`;
}
