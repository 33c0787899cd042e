import type { HealthReport } from '../../traces/health.ts';
import type { Report } from './envelope.ts';
import { printable, sentence } from './escape.ts';
import { formatCount, formatNumberOf } from './format-units.ts';

/** The five counts in the order in which they matter. */
export const HEALTH_KINDS = ['lost', 'truncated', 'malformed', 'unknown', 'ignored'] as const;

/** `0 lost, 0 truncated, 3 malformed, 0 unknown, 12 ignored`. */
export function healthSummary(health: HealthReport): string {
  return HEALTH_KINDS.map((kind) => `${formatCount(health[kind])} ${kind}`).join(', ');
}

/** What the reader must know before believing a figure: one sentence for each kind of damage; none for a whole trace. */
export function healthCaveats(health: HealthReport): readonly string[] {
  const caveats: string[] = [];
  if (health.lost > 0) {
    caveats.push(`The source lost ${formatNumberOf(health.lost, 'event')} while recording: counts are lower bounds.`);
  }
  if (health.truncated > 0) {
    caveats.push(
      `The input is cut short in ${formatNumberOf(health.truncated, 'place')}: what is missing is not counted.`,
    );
  }
  if (health.malformed > 0) {
    const [worst] = health.entries.filter((entry) => entry.kind === 'malformed');
    const where = worst?.first[0] === undefined ? '' : `, first at ${printable(worst.first[0], 80)}`;
    caveats.push(`${formatNumberOf(health.malformed, 'entry', 'entries')} of the input could not be read${where}.`);
  }
  return caveats;
}

/** Everything that limits the figures, printable, most important first: what the input lost, then what the run found out. */
export function caveatsOf(report: Report): readonly string[] {
  const own = (report.command === 'verify' ? report.result.notes : report.result.caveats).map(sentence);
  const health = healthCaveats(report.health);
  // Said once: a run may speak of lost events itself.
  const said = report.health.lost > 0 && own.some((text) => /\bevents? (was|were) lost\b/.test(text));
  return [...(said ? health.slice(1) : health), ...own];
}
