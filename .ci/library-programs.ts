/** A program of a page, and what it prints. */
export interface LibraryProgram {
  readonly name: string;
  readonly text: string;
  readonly prints: string;
}

/** Blocks ```ts NAME.ts of a page; the block behind each is what the program prints. */
export function programsOf(page: string): readonly LibraryProgram[] {
  const blocks = page.matchAll(/^```ts ([\w-]+\.ts)\n(.*?)^```\n\n^```\n(.*?)^```$/gms);
  return [...blocks].map(([, name = '', text = '', prints = '']) => ({ name, text, prints }));
}
