import { OutputFile } from './output-file.ts';

/** Writes the profile that `make` returns. False: there was none. */
export async function withOutput(path: unknown, make: () => Promise<string | undefined>): Promise<boolean> {
  const output = typeof path === 'string' ? new OutputFile(path) : undefined;
  const text = await make();
  if (text !== undefined) output?.writeWhole(text);
  return text !== undefined;
}
