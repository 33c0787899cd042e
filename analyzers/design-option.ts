import { statSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DesignFactory } from '../replay/designs/design.ts';
import { designTrouble, namedDesign } from '../replay/designs/designs.ts';
import { designsOf, loadDesigns } from '../replay/engine/design-modules.ts';
import type { DesignModule } from '../replay/engine/design-modules.ts';
import { IorrError } from '../traces/errors.ts';
import { TOOL } from '../traces/tool.ts';

/** Of a module. */
const MOST_BYTES = 1 << 24;

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
    for (const { name } of await watched(module, () => designsOf(module))) names.push(`${name}${value}`);
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

/** Loads a module: what it prints goes to stderr, and if it ends the process, or waits for ever, that is said. */
async function watched<T>({ file }: DesignModule, load: () => Promise<T>): Promise<T> {
  const ended = (): void => {
    writeSync(2, `${TOOL}: ${file}: the module ended the process while it was loaded, or waits for what never comes\n`);
    process.exitCode = 1;
  };
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  process.on('exit', ended);
  try {
    return await load();
  } finally {
    process.off('exit', ended);
    process.stdout.write = write;
  }
}

/** `./mine.js`, `designs/mine.mjs`, `mine.js`: no design's name has a dot or a slash. */
function isFile(part: string): boolean {
  return /[/\\]|\.[cm]?[jt]s(@|$)/.test(part);
}

function moduleOf(file: string): DesignModule {
  const path = resolve(file);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new IorrError('FILE_UNREADABLE', 'no such file', {
      place: { file },
      hint: '--designs takes names and files of designs: --designs linux-strict,./mine.js',
    });
  }
  if (!found.isFile() || found.size > MOST_BYTES) {
    throw new IorrError('FILE_UNREADABLE', `no file of at most ${MOST_BYTES} bytes`, {
      place: { file },
      hint: 'a design is an ES module: a file that ends in .js or .mjs and uses import and export',
    });
  }
  return { url: pathToFileURL(path).href, file };
}
