/** Tails of distributions, to about 7 digits. */

/** P(Z > z) of the standard normal distribution. */
export function normalTail(z: number): number {
  if (Number.isNaN(z)) return 1;
  if (z < 0) return 1 - normalTail(-z);
  if (z > 38) return 0;
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z < 3) {
    // Taylor series of the distribution function about 0 (Abramowitz and Stegun 26.2.11)
    let term = z;
    let sum = z;
    for (let k = 1; k < 60; k++) {
      term *= (z * z) / (2 * k + 1);
      sum += term;
    }
    return Math.max(0, 0.5 - density * sum);
  }
  // Abramowitz and Stegun 26.2.14
  let fraction = z;
  for (let k = 40; k > 0; k--) fraction = z + k / fraction;
  return density / fraction;
}

/** P(T > t) of Student's distribution, by the incomplete beta function; the normal one's for many degrees of freedom. */
export function studentTail(t: number, freedom: number): number {
  if (Number.isNaN(t) || !(freedom > 0)) return 1;
  if (t < 0) return 1 - studentTail(-t, freedom);
  if (t === Number.POSITIVE_INFINITY) return 0;
  if (freedom > 1e4) return normalTail(t);
  return 0.5 * incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

/** The t that a share of Student's distribution is below; 0.5 < share < 1. By halving. */
export function studentQuantile(share: number, freedom: number): number {
  let [low, high] = [0, 1];
  while (studentTail(high, freedom) > 1 - share && high < 1e6) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (studentTail(middle, freedom) > 1 - share) low = middle;
    else high = middle;
  }
  return high;
}

/** Logarithm of the gamma function of x > 0: Stirling's series (Abramowitz and Stegun 6.1.41) where it is exact enough. */
function logGamma(x: number): number {
  let shift = 0;
  let at = x;
  for (; at < 12; at++) shift += Math.log(at);
  const square = at * at;
  const series = (1 / 12 - (1 / 360 - 1 / (1260 * square)) / square) / at;
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** I_x(a, b), by its continued fraction (Abramowitz and Stegun 26.5.8, evaluated by Lentz' method). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x)) / a;
  const tiny = 1e-300;
  let c = 1;
  let d = 1 - ((a + b) * x) / (a + 1);
  d = 1 / (Math.abs(d) < tiny ? tiny : d);
  let h = d;
  for (let m = 1; m < 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d, tiny);
    c = nonZero(1 + even / c, tiny);
    h *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d, tiny);
    c = nonZero(1 + odd / c, tiny);
    const step = d * c;
    h *= step;
    if (Math.abs(step - 1) < 1e-12) break;
  }
  return front * h;
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}

/** Holm's adjustment: as many tests at once have one error in all with the same probability (Holm 1979). */
export function holm(values: readonly number[]): readonly number[] {
  const order = values.map((p, i) => ({ p, i })).sort((x, y) => x.p - y.p);
  const adjusted = new Array<number>(values.length).fill(1);
  let most = 0;
  order.forEach(({ p, i }, rank) => {
    most = Math.max(most, Math.min(1, p * (values.length - rank)));
    adjusted[i] = most;
  });
  return adjusted;
}
