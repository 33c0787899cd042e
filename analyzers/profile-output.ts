import { closeOutput, openOutput, writeAll } from './output-file.ts';

/** Writes the profile that `make` returns, or takes an empty file away again. False: there was none. */
export async function withOutput(path: unknown, make: () => Promise<string | undefined>): Promise<boolean> {
  const output = typeof path === 'string' ? openOutput(path) : undefined;
  try {
    const text = await make();
    if (output !== undefined && text !== undefined) writeAll(output, text);
    return text !== undefined;
  } finally {
    if (output !== undefined) closeOutput(output);
  }
}
