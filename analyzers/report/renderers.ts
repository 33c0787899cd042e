import { IorrError } from '../../traces/errors.ts';
import { csvRenderer } from './csv.ts';
import { htmlRenderer } from './html.ts';
import { jsonRenderer } from './json.ts';
import { markdownRenderer } from './markdown.ts';
import type { Renderer } from './renderer.ts';
import { terminalRenderer } from './terminal.ts';

/** Every output, one file each. */
export const RENDERERS: readonly Renderer[] = [
  terminalRenderer,
  jsonRenderer,
  markdownRenderer,
  csvRenderer,
  htmlRenderer,
];

/** The renderer of this name. Throws `IorrError` USAGE with the names that there are. */
export function rendererNamed(name: string): Renderer {
  const found = RENDERERS.find((renderer) => renderer.name === name);
  if (found !== undefined) return found;
  throw new IorrError('USAGE', `there is no output '${name}'`, {
    hint: `use one of ${RENDERERS.map((renderer) => renderer.name).join(', ')}`,
  });
}
