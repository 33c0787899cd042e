import { IorrError } from '../traces/errors.ts';
import { runWithUsage } from './child-usage.ts';
import { quantile } from './measure.ts';
import type { BenchFigure } from './measure.ts';

/** Figures of another build of iorr, measured by itself. Throws `USAGE` where it can't. */
export async function measureOther(
  cli: string,
  suites: readonly string[],
  milliseconds: number,
): Promise<BenchFigure[]> {
  const args = ['bench', '--json', '--time', String(milliseconds), '--suite', suites.join(',')];
  const { code, stdout, stderr } = await runWithUsage(cli, args).catch((error: unknown) => {
    throw new IorrError('USAGE', `--against ${cli}: ${error instanceof Error ? error.message : String(error)}`, {
      hint: 'name the dist/cli.js of another build',
    });
  });
  if (code !== 0) {
    throw new IorrError('USAGE', `--against ${cli}: it exited with ${code}: ${stderr.slice(0, 300).trim()}`, {
      hint: 'name the dist/cli.js of another build that has the suites: --suite encode,decode',
    });
  }
  const { result } = JSON.parse(stdout) as { readonly result: { readonly figures: readonly BenchFigure[] } };
  return result.figures.map((figure) => ({ ...figure, samples: figure.samples ?? [] }));
}

/**
 * One figure of two turns. What the same code differs from itself is the larger of what each turn says and of what the turns
 * differ by: between them other code ran.
 */
export function joinTurns(first: readonly BenchFigure[], second: readonly BenchFigure[]): BenchFigure[] {
  const again = new Map(second.map((figure) => [`${figure.suite}: ${figure.name}`, figure]));
  return first.flatMap((one): BenchFigure[] => {
    const other = again.get(`${one.suite}: ${one.name}`);
    if (other === undefined) return [];
    const samples = [...one.samples, ...other.samples];
    return [
      {
        ...one,
        median: samples.length > 0 ? quantile(samples, 0.5) : Math.sqrt(one.median * other.median),
        min: Math.min(one.min, other.min),
        max: Math.max(one.max, other.max),
        spread: Math.max(one.spread, other.spread),
        runs: one.runs + other.runs,
        noise: Math.max(one.noise, other.noise, Math.abs(one.median / other.median - 1)),
        samples,
      },
    ];
  });
}
