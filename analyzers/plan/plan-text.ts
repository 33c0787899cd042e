import { printable } from '../report/escape.ts';
import { formatCount, formatNs, formatNumberOf, formatShare } from '../report/format-units.ts';
import { layOut, wrapText } from '../report/plain-table.ts';
import { formatMetric, outcomeText, roomText, settingText, valuesText } from './plan-values.ts';
import type { GoalOutcome, PlanAnswer, PlanResult, PlannedGoal, PlannedSetting } from './plan-result.ts';

const COLUMNS = 100;
/** Rows of evaluated settings; JSON has all. */
const SHOWN = 24;
const RESOURCES = 4;

/** What `iorr plan` prints. */
export function planText(file: string, result: PlanResult): string {
  const lines: string[] = [
    `plan  ${printable(file, 200)}  on ${printable(result.hardware, 80)}${result.design === null ? '' : `, commands of ${printable(result.design, 60)}`}`,
  ];
  for (const { text } of result.goals) lines.push(`  goal  ${printable(text, 200)}`);
  lines.push('');
  const several = result.answers.length > 1;
  if (several) lines.push(tenantsTable(result), '');
  for (const answer of several ? [] : result.answers) lines.push(...answerLines(result, answer), '');
  const [first] = result.answers;
  if (!several && first !== undefined) lines.push(evaluatedTable(result, first), '');
  lines.push(basisLine(result));
  for (const caveat of result.caveats) lines.push(...wrapped(`! ${printable(caveat, 600)}`));
  return `${lines.join('\n')}\n`;
}

/** What a search knew when it was ended: those that hold first. */
export function settingsText(goals: readonly PlannedGoal[], settings: readonly PlannedSetting[]): string {
  const shown = settings.toSorted((a, b) => Number(b.holds) - Number(a.holds)).slice(0, SHOWN);
  const lines = shown.map((setting) => {
    const values = setting.goals.map((outcome, i) => `${goals[i]?.metric ?? ''} ${valueText(goals[i], outcome)}`);
    return `  ${setting.holds ? 'holds' : 'fails'}  ${settingText(setting)}: ${values.join(', ')}`;
  });
  const rest = settings.length - shown.length;
  return `${[
    `interrupted after ${formatNumberOf(settings.length, 'setting')}`,
    ...lines,
    ...(rest > 0 ? [`  and ${formatCount(rest)} more`] : []),
  ].join('\n')}\n`;
}

function valueText(goal: PlannedGoal | undefined, outcome: GoalOutcome | undefined): string {
  if (goal === undefined || outcome === undefined) return '';
  return outcome.unbounded ? 'without end' : formatMetric(goal.unit, outcome.value);
}

function wrapped(text: string): readonly string[] {
  return wrapText(text, COLUMNS - 4).map((line, i) => `  ${i === 0 ? '' : '  '}${line}`);
}

function goalLines(result: PlanResult, outcomes: readonly GoalOutcome[]): readonly string[] {
  return outcomes.map((outcome, i) => {
    const goal = result.goals[i]!; // one for each
    return `    ${outcome.holds ? 'holds' : 'fails'}  ${printable(goal.text, 100)}: ${outcomeText(goal, outcome)}`;
  });
}

function answerLines(result: PlanResult, answer: PlanAnswer): readonly string[] {
  const { chosen, closest, smaller, binds, moreLoad, fairness, overflow, until } = answer;
  const lines: string[] = [];
  if (chosen === null) {
    lines.push('none of the settings meets the goals');
    if (closest !== null) lines.push(`  nearest is ${settingText(closest)}`, ...goalLines(result, closest.goals));
  } else {
    const loads = result.vary.length > 0 && result.vary.every(({ kind }) => kind === 'load');
    lines.push(`${loads ? 'most' : 'smallest'}  ${settingText(chosen)}`, ...goalLines(result, chosen.goals));
    for (const less of smaller)
      lines.push(`  next ${loads ? 'more' : 'smaller'}  ${settingText(less)}`, ...goalLines(result, less.goals));
    if (smaller.length === 0 && result.vary.length > 0) {
      const [less, values] = loads ? ['more', 'larger'] : ['smaller', 'smaller'];
      lines.push(`  nothing ${less} was asked for: --vary with ${values} values finds out how far it goes`);
    }
  }
  if (overflow !== null) lines.push(...wrapped(`overflow: ${overflow.basis}, ${overflow.how}`));
  if (binds !== null) lines.push(...bindsLines(binds));
  if (moreLoad !== null && chosen !== null) {
    lines.push(
      `  at ${moreLoad.what}${moreLoad.breaks === null ? ' all goals still hold' : ` breaks first: ${printable(moreLoad.breaks, 100)}`}`,
    );
    lines.push(...goalLines(result, moreLoad.goals));
  }
  if (fairness !== null) {
    lines.push(
      `  hit rates of ${formatNumberOf(fairness.tenants, 'tenant')}: ${formatMetric('share', fairness.min)} to ${formatMetric('share', fairness.max)}, median ${formatMetric('share', fairness.median)}, Jain's index ${fairness.jain.toPrecision(5)}`,
    );
  }
  if (until !== null) {
    lines.push(
      until.breaks === null
        ? `  holds for ${formatNumberOf(until.holds, 'tenant')}, the most that were asked about`
        : `  holds for ${formatNumberOf(until.holds, 'tenant')}; the goal breaks at ${formatCount(until.breaks)}`,
    );
  }
  return lines;
}

function bindsLines(binds: NonNullable<PlanAnswer['binds']>): readonly string[] {
  const lines: string[] = [];
  const { goal, headroom, resources, misses } = binds;
  if (goal !== null) {
    lines.push(...wrapped(`binds next: ${printable(goal, 100)}${headroom === null ? '' : `, ${roomText(headroom)}`}`));
  }
  if (misses !== null) lines.push(...wrapped(misses));
  for (const { name, use, what } of resources.slice(0, RESOURCES)) {
    lines.push(`    ${name} ${formatShare(use, 1)} (${what})`);
  }
  return lines;
}

function tenantsTable(result: PlanResult): string {
  const rows = result.answers.map((answer): readonly string[] => {
    const { tenants, chosen, closest, until, fairness } = answer;
    const shown = chosen ?? closest;
    return [
      formatCount(tenants),
      chosen === null ? 'none' : valuesText(chosen.values),
      ...result.goals.map((goal, i) => formatMetric(goal.unit, shown?.goals[i]?.value ?? null)),
      fairness === null ? '' : `${formatMetric('share', fairness.min)} .. ${formatMetric('share', fairness.max)}`,
      fairness === null ? '' : fairness.jain.toFixed(4),
      until === null ? '' : until.breaks === null ? `${until.holds} and more` : formatCount(until.holds),
    ];
  });
  return layOut({
    head: [
      'tenants',
      'smallest',
      ...result.goals.map(({ text }) => printable(text, 40)),
      'of tenants',
      "Jain's",
      'holds for',
    ],
    align: ['right', 'left', ...result.goals.map(() => 'right' as const), 'right', 'right', 'right'],
    rows,
  });
}

function evaluatedTable(result: PlanResult, { evaluated, chosen, method }: PlanAnswer): string {
  const near = around(evaluated, chosen);
  const table = layOut({
    head: ['', ...result.vary.map(({ name }) => name), ...result.goals.map(({ text }) => printable(text, 40)), ''],
    align: ['left', ...result.vary.map(() => 'right' as const), ...result.goals.map(() => 'right' as const), 'left'],
    rows: near.map(({ values, goals, holds }) => [
      chosen !== null && JSON.stringify(values) === JSON.stringify(chosen.values) ? '>' : '',
      ...result.vary.map(({ name }) => cellText(values[name])),
      ...result.goals.map((goal, i) => {
        return valueText(goal, goals[i]);
      }),
      holds ? 'holds' : 'fails',
    ]),
  });
  const rest = evaluated.length - near.length;
  return `${formatNumberOf(evaluated.length, 'setting')} measured by ${method}\n${table}${rest > 0 ? `\n  and ${formatCount(rest)} more: --json has all` : ''}`;
}

function cellText(value: number | string | undefined): string {
  return typeof value === 'number' ? formatCount(value) : printable(value ?? '', 60);
}

/** Those about the answer. */
function around(evaluated: readonly PlannedSetting[], chosen: PlannedSetting | null): readonly PlannedSetting[] {
  if (evaluated.length <= SHOWN || chosen === null) return evaluated.slice(0, SHOWN);
  const at = evaluated.findIndex(({ values }) => JSON.stringify(values) === JSON.stringify(chosen.values));
  const from = Math.max(0, Math.min(at - SHOWN / 2, evaluated.length - SHOWN));
  return evaluated.slice(from, from + SHOWN);
}

function basisLine({ evaluations, readings, parameters, profile, spreadNs }: PlanResult): string {
  const counts = new Map<string, number>();
  for (const { standing } of parameters) counts.set(standing, (counts.get(standing) ?? 0) + 1);
  const standings = [...counts].map(([standing, count]) => `${count} ${standing}`).join(', ');
  const spread = spreadNs === null ? '' : `; tenants start within ${formatNs(spreadNs)} of each other`;
  return `${formatNumberOf(evaluations, 'evaluation')}, ${formatNumberOf(readings, 'reading')} of the trace; parameters${profile === '' ? '' : ` (costs of ${printable(profile, 60)})`}: ${standings === '' ? 'none' : standings}${spread}`;
}
