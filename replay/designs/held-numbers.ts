/** What of a set of page or block numbers lies in a range, ascending: looked for on the smaller side, since a range can be of any size. */
export function heldIn(
  numbers: { readonly size: number; has(value: number): boolean; keys(): Iterable<number> },
  first: number,
  last: number,
): readonly number[] {
  const found: number[] = [];
  if (last - first > numbers.size) {
    for (const value of numbers.keys()) if (value >= first && value <= last) found.push(value);
    return found.sort((a, b) => a - b);
  }
  for (let value = first; value <= last; value++) if (numbers.has(value)) found.push(value);
  return found;
}
