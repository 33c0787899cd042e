/** Tries of all pieces of one size, from halves down to single bytes. */
const MOST_TRIES = 1500;

/** The same problem, whatever numbers are in it: its first line, and where it was. */
export function problemKey(problem: string): string {
  const [first = '', ...stack] = problem.split('\n');
  return `${first} ${stack[0] ?? ''}`.replace(/\d+/g, 'N').slice(0, 200);
}

/**
 * Takes pieces out of an input as long as it stays as bad (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing
 * input", 2002, without their complements). Gives up after some tries; what it has by then is the answer.
 */
export async function minimise(
  bytes: Uint8Array,
  isBad: (candidate: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let best = bytes;
  let tries = 0;
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length && tries < MOST_TRIES; tries++) {
      const candidate = new Uint8Array(Buffer.concat([best.subarray(0, at), best.subarray(at + size)]));
      if (await isBad(candidate)) best = candidate;
      else at += size;
    }
  }
  return best;
}
