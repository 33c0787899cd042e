/** Times, amounts of memory, rates and shares. */
const FRACTIONAL = /^(?:[num]?s|[KMG]iB|share)$|\/|^%/;

/** A parameter in this unit is counted: it takes whole numbers only (`entries`, `passes`, `0 or 1`). */
export function isCounted(unit: string): boolean {
  return !FRACTIONAL.test(unit);
}
