import type { DesignResult } from '../results.ts';

/** What is to be known of designs that leave pages in the page tables; nothing where none does. */
export function overMappedCaveats(designs: readonly DesignResult[]): readonly string[] {
  const leaving = designs.filter(({ overMapped }) => (overMapped?.maxPages ?? 0) > 0);
  if (leaving.length === 0) return [];
  const names = [...new Set(leaving.map(({ name, overMapped }) => `${name} (at most ${overMapped?.maxPages ?? 0})`))];
  return [
    `pages stay in the page tables though no mapping asks for them under ${names.join(', ')}: those that were unmapped are exposed until a mapping asks for them again or the trace ends, cached or not, without a bound`,
  ];
}
