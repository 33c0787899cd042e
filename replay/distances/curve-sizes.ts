/** Sizes at which a curve is told: powers of two and the one and a half of them, and `also`; ascending. */
export function curveSizes(most: number, also: readonly number[]): readonly number[] {
  const sizes = new Set(also.filter((size) => size >= 1 && size <= most));
  for (let size = 1; size <= most; size *= 2) {
    sizes.add(size);
    if (size > 1 && size * 1.5 <= most) sizes.add(size * 1.5);
  }
  return [...sizes].sort((a, b) => a - b);
}

/** By depth from 0 on: index of the smallest size that reaches it; sizes.length: none does. */
export function reachOf(sizes: readonly number[], depths: number, scaled: (depth: number) => number): Uint8Array {
  const reach = new Uint8Array(depths);
  let at = 0;
  for (let depth = 1; depth < depths; depth++) {
    while (at < sizes.length && (sizes[at] ?? 0) < scaled(depth)) at++;
    reach[depth] = at;
  }
  return reach;
}
