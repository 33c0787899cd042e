import type { AnalysisPage } from '../analysis.ts';
import { chapterPage } from '../report/chapter-page.ts';
import { leadOf, partOf, partsOf } from '../report/chapter.ts';
import type { Chapter, Lead, PagePart } from '../report/chapter.ts';
import { sentence } from '../report/escape.ts';
import { formatCount, formatNs, formatNumberOf, formatShare } from '../report/format-units.ts';
import { lineFigure } from '../report/line-chart.ts';
import type { DrawnLine } from '../report/line-chart.ts';
import { lineStyle } from '../report/line-styles.ts';
import { html } from '../report/markup.ts';
import type { Markup } from '../report/markup.ts';
import { sizeOf } from './plan-parameters.ts';
import { formatMetric, outcomeText, roomText, settingText, valuesText } from './plan-values.ts';
import type { PlanAnswer, PlanResult, PlannedGoal, PlannedSetting } from './plan-result.ts';

const LINES = 8;
const SHOWN = 1000;

function titleOf({ answers, vary }: PlanResult): string {
  const [first] = answers;
  if (answers.length > 1) {
    const met = answers.filter(({ chosen }) => chosen !== null).length;
    return `${formatCount(met)} of ${formatNumberOf(answers.length, 'number')} of tenants can be served`;
  }
  if (first?.chosen === null || first === undefined) return 'No setting meets the goals';
  return vary.length === 0 ? 'The hardware meets the goals as it is' : valuesText(first.chosen.values);
}

function lead(result: PlanResult, file: string): Lead {
  const facts: readonly (readonly [string, string])[] = [
    ['Trace', file],
    ['Hardware', result.hardware],
    ...(result.design === null ? [] : [['Commands of', result.design] as const]),
    ...result.goals.map(({ text }) => ['Goal', text] as const),
    ['Evaluations', formatCount(result.evaluations)],
  ];
  return leadOf(titleOf(result), facts);
}

/** The varied parameter along the axis: numbers, with most values. */
function axisOf({ vary }: PlanResult): PlanResult['vary'][number] | undefined {
  return vary
    .filter(({ kind, values }) => kind !== 'choice' && values.length > 1)
    .toSorted((a, b) => b.values.length - a.values.length)[0];
}

function figureOf(result: PlanResult, answers: readonly PlanAnswer[], goal: PlannedGoal, at: number): Markup | null {
  const axis = axisOf(result);
  if (axis === undefined) return null;
  const across = (setting: PlannedSetting): number => sizeOf(axis.name, setting.values[axis.name] ?? 0);
  const others = result.vary.filter(({ name, values }) => name !== axis.name && values.length > 1);
  const lines = new Map<string, (readonly [number, number])[]>();
  for (const { evaluated, tenants } of answers) {
    for (const setting of evaluated) {
      const value = setting.goals[at]?.value ?? null;
      if (value === null) continue;
      const parts = [
        ...(answers.length > 1 ? [formatNumberOf(tenants, 'tenant')] : []),
        ...others.map(({ name }) => `${name} ${setting.values[name] ?? ''}`),
      ];
      const label = parts.length === 0 ? goal.metric : parts.join(', ');
      lines.set(label, [...(lines.get(label) ?? []), [across(setting), value]]);
    }
  }
  const drawn: DrawnLine[] = [...lines].slice(0, LINES).map(([label, points], i) => ({
    label,
    style: lineStyle(i, false),
    points: points.toSorted(([a], [b]) => a - b),
    marks: true,
  }));
  const chosen = answers.length === 1 ? (answers[0]?.chosen ?? null) : null;
  const answered = chosen?.goals[at]?.value ?? null;
  if (chosen !== null && answered !== null) {
    const point = [[across(chosen), answered]] as const;
    drawn.push({ label: 'answer', style: lineStyle(LINES + 1, false), points: point, marks: true });
  }
  const values = axis.values.map((value) => sizeOf(axis.name, value));
  const shown = drawn.flatMap(({ points }) => points.map(([, y]) => y));
  // a log axis has what is 0 at its beginning
  const positive = [...shown, goal.limit].filter((y) => y > 0);
  const wide = goal.limit > 0 && goal.unit !== 'share' && Math.max(...positive) > 50 * Math.min(...positive);
  return lineFigure(goal.text, 'What was measured, with the limit and the answer', {
    about: `${goal.metric} by ${axis.name}`,
    x: {
      title: axis.name,
      unit: axis.name === 'dirty.link' ? 'bytes/s' : 'count',
      log: values.every((value) => value > 0) && Math.max(...values) >= 8 * Math.min(...values),
      base: axis.name === 'dirty.link' ? 10 : 2,
      from: Math.min(...values),
      to: Math.max(...values),
    },
    y: {
      title: `${goal.statistic === '' ? '' : `${goal.statistic} `}${goal.metric}`,
      unit: goal.unit,
      log: wide,
      base: 10,
      ...(wide ? {} : rangeOf([...shown, goal.limit], goal)),
    },
    lines: drawn,
    limit: { at: goal.limit, label: goal.text },
    ...(chosen === null ? {} : { mark: { at: across(chosen), label: valuesText(chosen.values) } }),
  });
}

/** Ends of the axis, with room for the label of the limit. */
function rangeOf(values: readonly number[], { unit }: PlannedGoal): { readonly from: number; readonly to: number } {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || Math.abs(high) || 1) * 0.15;
  const to = high + room;
  // what lies in a narrow band far from 0 is looked at closely
  const from = low > 0 && low > 0.6 * high ? Math.max(0, low - room) : Math.min(0, low);
  return { from, to: unit === 'share' ? Math.min(to, Math.max(1, high)) : to };
}

function answerSection(result: PlanResult, answer: PlanAnswer): Markup {
  const { chosen, closest, smaller, binds, moreLoad, fairness, overflow, until } = answer;
  const shown = chosen ?? closest;
  const rows: Markup[] = [];
  const row = (name: string, setting: PlannedSetting): void => {
    rows.push(
      html`<tr><th scope="row">${name}</th><td class="text">${settingText(setting)}</td>${result.goals.map((goal, i) => html`<td>${setting.goals[i] === undefined ? '' : outcomeText(goal, setting.goals[i])}</td>`)}</tr>`,
    );
  };
  if (shown !== null) row(chosen === null ? 'nearest, fails' : 'answer', shown);
  for (const less of smaller) row(`less of ${less.parameter}`, less);
  if (moreLoad !== null && chosen !== null) {
    rows.push(
      html`<tr><th scope="row">${moreLoad.what}</th><td class="text">${valuesText(chosen.values)}</td>${result.goals.map((goal, i) => html`<td>${moreLoad.goals[i] === undefined ? '' : outcomeText(goal, moreLoad.goals[i])}</td>`)}</tr>`,
    );
  }
  const facts: string[] = [];
  if (binds?.goal !== null && binds !== null) {
    facts.push(`Binds next: ${binds.goal}${binds.headroom === null ? '' : `, ${roomText(binds.headroom)}`}`);
  }
  if (binds?.misses !== null && binds !== null) facts.push(binds.misses);
  for (const { name, use, what } of binds?.resources ?? []) facts.push(`${name}: ${formatShare(use, 1)} (${what})`);
  if (overflow !== null) facts.push(`overflow: ${overflow.basis}, ${overflow.how}`);
  if (fairness !== null) {
    facts.push(
      `Hit rates of ${formatNumberOf(fairness.tenants, 'tenant')}: ${formatMetric('share', fairness.min)} to ${formatMetric('share', fairness.max)}, median ${formatMetric('share', fairness.median)}, Jain's index ${fairness.jain.toPrecision(5)}`,
    );
  }
  if (until !== null) {
    facts.push(
      `Holds for ${formatNumberOf(until.holds, 'tenant')}${until.breaks === null ? ', the most that were asked about' : `; breaks at ${formatCount(until.breaks)}`}`,
    );
  }
  const heading = result.answers.length > 1 ? formatNumberOf(answer.tenants, 'tenant') : 'Answer';
  return html`<div class="panel"><h3>${heading}</h3><div class="scroll"><table aria-label="${heading}"><thead><tr><th scope="col" class="text"></th><th scope="col" class="text">Setting</th>${result.goals.map(({ text }) => html`<th scope="col">${text}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div><ul>${facts.map((fact) => html`<li>${sentence(fact)}</li>`)}</ul></div>`;
}

function evaluatedSection(result: PlanResult): PagePart {
  const several = result.answers.length > 1;
  const rows = result.answers.flatMap((answer) =>
    answer.evaluated.map((setting) => ({ setting, tenants: answer.tenants })),
  );
  const cell = (value: number | string | undefined): string =>
    typeof value === 'number' ? formatCount(value) : (value ?? '');
  const methods = [...new Set(result.answers.map(({ method }) => method))].join(', ');
  return partOf(
    'settings',
    'Settings',
    html`All that were measured, by ${methods}; a click on a heading sorts.`,
    html`<div class="panel"><div class="scroll"><table class="sortable" aria-label="Settings"><thead><tr>${several ? html`<th scope="col">tenants</th>` : null}${result.vary.map(({ name }) => html`<th scope="col">${name}</th>`)}${result.goals.map(({ text }) => html`<th scope="col">${text}</th>`)}<th scope="col">Goals</th></tr></thead><tbody>${rows
      .slice(0, SHOWN)
      .map(
        ({ setting, tenants }) =>
          html`<tr>${several ? html`<td data-v="${tenants}">${formatCount(tenants)}</td>` : null}${result.vary.map(({ name }) => html`<td data-v="${setting.values[name] ?? ''}">${cell(setting.values[name])}</td>`)}${result.goals.map((goal, i) => html`<td data-v="${setting.goals[i]?.value ?? ''}">${setting.goals[i]?.unbounded === true ? 'without end' : formatMetric(goal.unit, setting.goals[i]?.value ?? null)}</td>`)}<td>${setting.holds ? 'hold' : 'fail'}</td></tr>`,
      )}</tbody></table></div></div>`,
  );
}

/** Parameters at the answer; those that the search varied say so. */
function parametersOf({ vary, parameters }: PlanResult): PlanResult['parameters'] {
  const names = new Set(vary.map(({ name }) => name));
  return parameters.map((one) => (names.has(one.name) ? { ...one, name: `${one.name} (varied)` } : one));
}

/** What `iorr plan` found, for a page. */
export function planChapter(result: PlanResult, file: string): Chapter {
  const figures = result.goals
    .map((goal, i) => figureOf(result, result.answers, goal, i))
    .filter((one) => one !== null);
  const answers = result.answers.map((answer) => answerSection(result, answer));
  return {
    command: 'plan',
    file,
    lead: lead(result, file),
    caveats: result.caveats,
    parts: partsOf(
      partOf('answer', 'Answer', null, html`${answers}`),
      figures.length === 0 ? null : partOf('figures', 'Figures', null, html`${figures}`),
      evaluatedSection(result),
    ),
    basis: [
      `${formatNumberOf(result.readings, 'reading')} of the trace`,
      ...(result.spreadNs === null ? [] : [`Tenants start within ${formatNs(result.spreadNs)} of each other`]),
    ],
    parameters: parametersOf(result),
    charts: null,
  };
}

/** The page of `iorr plan`: one file that opens anywhere. */
export function planHtml(result: PlanResult, page: AnalysisPage): string {
  return chapterPage(planChapter(result, page.file), page);
}
