import { printable } from '../report/escape.ts';
import { formatCount, formatDecimal, formatNs, formatNumberOf, formatShare } from '../report/format-units.ts';
import { layOut, wrapText } from '../report/plain-table.ts';
import { bars } from '../dirty/dirty-text.ts';
import type { OutstandingGroup, PriResult } from './pri.ts';
import { STAGES } from './pri-stages.ts';
import type { StageName, StageReport } from './pri-stages.ts';

const COLUMNS = 100;
const NAME_WIDTH = 36;
/** Rows of a table; JSON has all. */
const SHOWN = 12;
const WIDTH = 60;

/** `246 µs`, or `12 to 246 µs` where only bounds are known. */
export function stageNs(stage: StageReport, of: 'p50' | 'p95' | 'p99' | 'max' | 'mean'): string {
  const least = stage.ns[of];
  const most = stage.atMostNs?.[of];
  return most === undefined ? formatNs(least) : `${formatNs(least)} to ${formatNs(most)}`;
}

/** Stages that the trace shows. */
export function shownStages({ stages }: PriResult): readonly (readonly [StageName, StageReport])[] {
  return (Object.keys(STAGES) as StageName[]).flatMap((name) => {
    const stage = stages[name];
    return stage === null ? [] : [[name, stage] as const];
  });
}

function paragraph(text: string): string {
  return wrapText(text, COLUMNS).join('\n');
}

export function headline({
  groups,
  requests,
  answered,
  unanswered,
  codes,
  by,
  sees,
  commands,
  duplicateRequests,
}: PriResult): string {
  const asked = requests === null ? '' : ` of ${formatNumberOf(requests, 'page request')}`;
  if (!sees.requests && !sees.reads)
    return `${formatNumberOf(commands, 'response')} to page requests that the trace does not show`;
  const parts = [
    `${formatNumberOf(groups, 'group')}${asked}`,
    `${formatCount(answered)} answered: ${formatCount(codes.success)} SUCCESS, ${formatCount(codes.invalid)} INVALID, ${formatCount(codes.failure)} FAILURE`,
    `by user space ${formatCount(by.user)}, by the kernel ${formatCount(by.kernel)}${by.unknown > 0 ? `, by nobody knows whom ${formatCount(by.unknown)}` : ''}`,
    ...(unanswered > 0 ? [`${formatCount(unanswered)} without an answer`] : []),
    ...(duplicateRequests > 0 ? [`${formatNumberOf(duplicateRequests, 'request')} twice in the trace`] : []),
  ];
  return parts.join('; ');
}

function stageTable(result: PriResult): string | null {
  const shown = shownStages(result);
  if (shown.length === 0) return null;
  return layOut({
    head: ['From, to', 'Groups', 'P50', 'P95', 'P99', 'Longest', 'Mean'],
    rows: shown.map(([name, stage]) => [
      STAGES[name],
      formatCount(stage.count),
      stageNs(stage, 'p50'),
      stageNs(stage, 'p95'),
      stageNs(stage, 'p99'),
      stageNs(stage, 'max'),
      stageNs(stage, 'mean'),
    ]),
    align: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
  });
}

function answerTable({ answers }: PriResult): string | null {
  if (answers.length === 0) return null;
  return layOut({
    head: ['Answer', 'Groups', 'By', 'How that is known'],
    rows: answers.map(({ code, groups, by, what }) => [code, formatCount(groups), by, what]),
    align: ['left', 'right', 'left', 'left'],
  });
}

function deviceTable({ devices }: PriResult): string | null {
  if (devices.length === 0) return null;
  const table = layOut({
    head: ['Requester', 'PASID', 'Requests', 'Groups', 'SUCCESS', 'INVALID', 'FAILURE', 'Open', 'P50', 'P99'],
    rows: devices
      .slice(0, SHOWN)
      .map(({ device, pasid, requests, groups, success, invalid, failure, unanswered, answered }) => [
        printable(device, NAME_WIDTH),
        pasid === null ? '-' : String(pasid),
        formatCount(requests),
        formatCount(groups),
        formatCount(success),
        formatCount(invalid),
        formatCount(failure),
        formatCount(unanswered),
        answered === null ? '-' : stageNs(answered, 'p50'),
        answered === null ? '-' : stageNs(answered, 'p99'),
      ]),
    align: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
  });
  return devices.length > SHOWN ? `${table}\n${formatNumberOf(devices.length - SHOWN, 'more row')}: --json` : table;
}

function sizeLine({ sizes, notClosed, mixedPasids }: PriResult): string | null {
  if (sizes.length === 0) return null;
  const some = sizes
    .slice(0, 16)
    .map(({ requests, groups }) => `${formatNumberOf(groups, 'group')} of ${formatCount(requests)}`);
  if (sizes.length > 16) some.push(formatNumberOf(sizes.length - 16, 'more size'));
  if (notClosed > 0) some.push(`${formatCount(notClosed)} without the last request`);
  if (mixedPasids > 0) some.push(`${formatCount(mixedPasids)} with requests of several PASIDs`);
  return paragraph(`Requests in a group: ${some.join(', ')}`);
}

function occupancyLines({ occupancy, outOfOrder }: PriResult): string | null {
  if (occupancy === null) return null;
  const { groups, requests, waiting, inUser } = occupancy;
  const of = (name: string, one: typeof groups): string[] =>
    one === null
      ? []
      : [
          `${name}: at most ${formatCount(one.max)} at once (at ${formatNs(one.maxAtNs)}), ${formatDecimal(one.mean)} on average`,
        ];
  const most = groups ?? inUser;
  const picture =
    most === null
      ? []
      : [
          `  ${bars(
            most.bins.map(({ max }) => max),
            WIDTH,
          )}`,
        ];
  return [
    ...of('Requests on their way', requests),
    ...of('Groups on their way', groups),
    ...of('  not yet read', waiting),
    ...of('  with user space', inUser),
    ...picture,
    ...(outOfOrder > 0 ? [`${formatNumberOf(outOfOrder, 'group')} answered after one that was complete later`] : []),
  ].join('\n');
}

function repeatLine({ repeats }: PriResult): string | null {
  if (repeats === null) return null;
  const {
    pages,
    pagesAgain,
    requests,
    afterSuccess,
    afterInvalid,
    afterFailure,
    whileOutstanding,
    flushedBetween,
    mostOfOnePage,
  } = repeats;
  if (requests === 0) return paragraph(`${formatNumberOf(pages, 'page')}, none asked for twice`);
  const parts = [
    `${formatCount(afterSuccess)} after SUCCESS (${formatCount(flushedBetween)} with a device-TLB invalidation between)`,
    `${formatCount(afterInvalid)} after INVALID`,
    `${formatCount(afterFailure)} after FAILURE`,
    `${formatCount(whileOutstanding)} before any answer`,
  ];
  return paragraph(
    `${formatNumberOf(pages, 'page')}, ${formatCount(pagesAgain)} asked for again, one ${formatCount(mostOfOnePage)} times; ${formatNumberOf(requests, 'request')} for a page again: ${parts.join(', ')}`,
  );
}

function prefetchTable({ prefetch, groups }: PriResult): string | null {
  if (prefetch.length === 0) return null;
  return layOut({
    head: ['Pages brought in at once', 'Groups less', 'Of all', 'Blocks'],
    rows: prefetch.map(({ blockPages, avoided, blocks }) => [
      formatCount(blockPages),
      formatCount(avoided),
      formatShare(avoided, groups),
      formatCount(blocks),
    ]),
    align: ['left', 'right', 'right', 'right'],
  });
}

export function damageParts({ damage }: PriResult): readonly (readonly [string, number])[] {
  return Object.entries(damage)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => [kind.replaceAll('-', ' '), count] as const);
}

function findingLines(result: PriResult): string {
  const parts = damageParts(result);
  if (parts.length === 0) return 'Nothing is missing, twice or out of order';
  const rows = result.findings.slice(0, SHOWN).map(({ event, kind, what }) => [formatCount(event), kind, what]);
  const table = layOut({ head: ['Event', 'Kind', 'What'], rows, align: ['right', 'left', 'left'] });
  const more = result.findings.length > SHOWN ? '\nmore: --json' : '';
  return `${paragraph(`Odd: ${parts.map(([kind, count]) => `${kind} ${formatCount(count)}`).join(', ')}`)}\n${table}${more}`;
}

export function priText(file: string, result: PriResult): string {
  const parts = [
    `iorr analyze pri  ${printable(file, 200)}`,
    paragraph(headline(result)),
    stageTable(result),
    answerTable(result),
    deviceTable(result),
    sizeLine(result),
    occupancyLines(result),
    repeatLine(result),
    prefetchTable(result),
    findingLines(result),
    result.caveats.flatMap((caveat) => wrapText(`! ${caveat}`, COLUMNS)).join('\n'),
  ];
  const shown = parts.filter((part): part is string => part !== null && part !== '');
  return `${shown.map((part) => part.trimEnd()).join('\n\n')}\n`;
}

export function outstandingText(file: string, at: number, groups: readonly OutstandingGroup[]): string {
  const head = `iorr analyze pri  ${printable(file, 200)}  at ${formatNs(at)}\n\n${formatNumberOf(groups.length, 'group')} on their way\n`;
  if (groups.length === 0) return head;
  const table = layOut({
    head: ['Event', 'Requester', 'PASID', 'Group', 'Requests', 'State', 'Since'],
    rows: groups.map(({ event, device, pasid, index, requests, state, ageNs }) => [
      formatCount(event),
      printable(device, NAME_WIDTH),
      pasid === null ? '-' : String(pasid),
      String(index),
      formatCount(requests),
      state,
      formatNs(ageNs),
    ]),
    align: ['right', 'left', 'right', 'right', 'right', 'left', 'right'],
  });
  return `${head}\n${table.trimEnd()}\n`;
}
