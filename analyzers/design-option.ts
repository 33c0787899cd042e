import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DesignFactory } from '../replay/designs/design.ts';
import { designTrouble, namedDesign } from '../replay/designs/designs.ts';
import { designsOf, loadDesigns } from '../replay/engine/design-modules.ts';
import type { DesignModule } from '../replay/engine/design-modules.ts';
import { IorrError } from '../traces/errors.ts';

export const DEFAULT_DESIGNS = 'linux-strict,linux-lazy';

/** What `--designs` asks for. */
export interface AskedDesigns {
  /** Names of the rows: `linux-strict`, `batch-n@32`, and those of the designs that files hold. */
  readonly names: readonly string[];
  readonly modules: readonly DesignModule[];
  /** Behind the names, each once, for their parameters. */
  readonly designs: readonly DesignFactory[];
}

/** The designs of `a,b@8,./mine.js`, each row once. Throws for a name that there is not and for a file that holds none. */
export async function askedDesigns(text: string): Promise<AskedDesigns> {
  const parts = [...new Set(text.split(',').map((part) => part.trim()))].filter((part) => part !== '');
  if (parts.length === 0) {
    throw new IorrError('USAGE', '--designs names none', { hint: `for example --designs ${DEFAULT_DESIGNS}` });
  }
  const modules: DesignModule[] = [];
  const names: string[] = [];
  for (const part of parts) {
    if (!isFile(part)) {
      names.push(part);
      continue;
    }
    // ./mine.js@8
    const [, file = part, value = ''] = /^(.*?)(@-?\d+(?:\.\d+)?)?$/.exec(part) ?? [];
    const module = moduleOf(file);
    if (!modules.some(({ url }) => url === module.url)) modules.push(module);
    for (const { name } of await designsOf(module)) names.push(`${name}${value}`);
  }
  const known = await loadDesigns(modules);
  const designs = names.map((name) => {
    const named = namedDesign(name, known);
    if (named !== undefined) return named.design;
    const [message, hint] = designTrouble(name, known);
    throw new IorrError('USAGE', message, { hint });
  });
  return { names: [...new Set(names)], modules, designs: [...new Set(designs)] };
}

/** `./mine.js`, `designs/mine.mjs`, `mine.js`: no design's name has a dot or a slash. */
function isFile(part: string): boolean {
  return /[/\\]|\.[cm]?[jt]s(@|$)/.test(part);
}

function moduleOf(file: string): DesignModule {
  const path = resolve(file);
  if (!existsSync(path)) {
    throw new IorrError('FILE_UNREADABLE', 'no such file', {
      place: { file },
      hint: '--designs takes names and files of designs: --designs linux-strict,./mine.js',
    });
  }
  return { url: pathToFileURL(path).href, file };
}
