import { ANSWER_CAUSES, answeredBy } from '../../replay/faults/spans/answered-by.ts';
import type { AnswerCause, AnsweredBy } from '../../replay/faults/spans/answered-by.ts';
import type { PriFinding, PriFindingKind, RequestGroup } from '../../replay/faults/spans/page-request.ts';
import { closedAt, eventOf } from '../../replay/faults/spans/page-request.ts';
import { readPriHistory } from '../../replay/faults/spans/read-history.ts';
import type { PriHistory } from '../../replay/faults/spans/read-history.ts';
import type { Trace } from '../../traces/trace.ts';
import { formatRequester } from '../../traces/units.ts';
import type { Nanoseconds } from '../../traces/units.ts';
import { occupancyOf } from './pri-occupancy.ts';
import type { OccupancyReport } from './pri-occupancy.ts';
import { pagesOf, prefetchOf, repeatsOf } from './pri-pages.ts';
import type { PrefetchRow, Repeats } from './pri-pages.ts';
import { priCaveats } from './pri-caveats.ts';
import { StageTally, stagesOf } from './pri-stages.ts';
import type { StageReport, StageReports } from './pri-stages.ts';

/** Findings in the result; all are counted. */
const LISTED = 1000;
/** Requesters and PASIDs in the result. */
const MOST_DEVICES = 1000;

export const CODE_NAMES = ['SUCCESS', 'INVALID', 'FAILURE'] as const;
export type CodeName = (typeof CODE_NAMES)[number];

/** What the trace shows; what it does not is null in the result, or said in `caveats`. */
export interface PriSight {
  readonly requests: boolean;
  readonly reads: boolean;
  readonly commands: boolean;
  readonly completions: boolean;
  readonly calls: boolean;
}

export interface PriAnswerRow {
  readonly code: CodeName;
  readonly by: AnsweredBy['by'];
  readonly cause: AnswerCause;
  readonly what: string;
  readonly groups: number;
}

export interface PriDeviceRow {
  /** `0000:01:00.0`, or IOMMUFD's number where only user space was seen: `device 1`. */
  readonly device: string;
  /** Null: without PASID. */
  readonly pasid: number | null;
  readonly requests: number;
  readonly groups: number;
  readonly success: number;
  readonly invalid: number;
  readonly failure: number;
  readonly unanswered: number;
  /** Last request to command, or read to response where only user space was seen. */
  readonly answered: StageReport | null;
}

export type PriDamage = { readonly [K in PriFindingKind]: number };

export interface PriResult {
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  readonly sees: PriSight;
  /** Page requests; null where none can be seen. Without what was there twice. */
  readonly requests: number | null;
  readonly duplicateRequests: number;
  readonly requestsBefore: number;
  readonly stopMarkers: number;
  readonly groups: number;
  /** Groups without the last request, and with requests of several PASIDs. */
  readonly notClosed: number;
  readonly mixedPasids: number;
  readonly sizes: readonly { readonly requests: number; readonly groups: number }[];
  /** Groups with an answer; commands and written responses that stand for them. */
  readonly answered: number;
  readonly unanswered: number;
  readonly commands: number;
  readonly user: PriHistory['user'];
  readonly codes: { readonly success: number; readonly invalid: number; readonly failure: number };
  readonly by: { readonly user: number; readonly kernel: number; readonly unknown: number };
  readonly answers: readonly PriAnswerRow[];
  readonly devices: readonly PriDeviceRow[];
  readonly stages: StageReports;
  /** Groups answered after one that was complete later. */
  readonly outOfOrder: number;
  readonly occupancy: OccupancyReport | null;
  readonly repeats: Repeats | null;
  readonly prefetch: readonly PrefetchRow[];
  readonly lost: PriHistory['lost'];
  readonly damage: PriDamage;
  readonly findings: readonly PriFinding[];
  readonly caveats: readonly string[];
}

/** Everything that a trace tells of page requests: groups, answers, times, and what is missing or odd. */
export function analyzePri(trace: Trace): PriResult {
  const history = readPriHistory(trace);
  const { groups, answerers, user } = history;
  const sees: PriSight = {
    requests: history.requests > 0,
    reads: user.reads > 0,
    commands: history.answers > 0,
    completions: groups.some(({ answer }) => answer !== undefined && answer.completed >= 0),
    calls: answerers.calls,
  };
  const sizes = new Map<number, number>();
  const answers = new Map<string, { row: Omit<PriAnswerRow, 'groups'>; groups: number }>();
  const codes = { success: 0, invalid: 0, failure: 0 };
  const by = { user: 0, kernel: 0, unknown: 0 };
  const devices = new Map<string, DeviceTally>();
  let answered = 0;
  for (const group of groups) {
    const size = pagesOf(group).length;
    if (size > 0) sizes.set(size, (sizes.get(size) ?? 0) + 1);
    const device = deviceOf(devices, group);
    device.add(group);
    const code = codeOf(group);
    if (code < 0) continue;
    answered++;
    codes[CODES[code] ?? 'failure']++;
    const who = answeredBy(group, answerers) ?? { by: 'unknown', cause: 'unseen' };
    by[who.by]++;
    const row = { code: CODE_NAMES[code] ?? 'FAILURE', ...who, what: ANSWER_CAUSES[who.cause] };
    const key = `${row.code} ${row.cause}`;
    const known = answers.get(key);
    if (known === undefined) answers.set(key, { row, groups: 1 });
    else known.groups++;
  }
  const damage = damageOf(history.findings);
  const asked = groups.some((group) => pagesOf(group).length > 0);
  const stages = stagesOf(groups);
  return {
    startNs: history.startNs,
    endNs: history.endNs,
    sees,
    requests: sees.requests ? history.requests - history.duplicateRequests : sees.reads ? user.records : null,
    duplicateRequests: history.duplicateRequests,
    requestsBefore: history.requestsBefore,
    stopMarkers: history.stopMarkers,
    groups: groups.length,
    notClosed: groups.filter(({ requests, closed }) => requests.length > 0 && !closed).length,
    mixedPasids: groups.filter(({ mixed }) => mixed).length,
    sizes: [...sizes].sort(([a], [b]) => a - b).map(([requests, count]) => ({ requests, groups: count })),
    answered,
    unanswered: groups.length - answered,
    commands: history.answers,
    user,
    codes,
    by,
    answers: [...answers.values()]
      .map(({ row, groups: count }) => ({ ...row, groups: count }))
      .sort((a, b) => b.groups - a.groups || (a.cause < b.cause ? -1 : 1)),
    devices: [...devices.values()]
      .map((device) => device.row())
      .sort((a, b) => b.requests - a.requests || (a.device < b.device ? -1 : 1))
      .slice(0, MOST_DEVICES),
    stages,
    outOfOrder: outOfOrder(groups),
    occupancy: occupancyOf(groups, history.endNs),
    repeats: asked ? repeatsOf(groups, history.deviceFlushes) : null,
    prefetch: prefetchOf(groups),
    lost: history.lost,
    damage,
    findings: history.findings.slice(0, LISTED),
    caveats: priCaveats(history, sees, stages),
  };
}

/** A group that was on its way at one time. */
export interface OutstandingGroup {
  readonly event: number;
  readonly device: string;
  readonly pasid: number | null;
  readonly index: number;
  readonly requests: number;
  /** `partial`: its last request is to come; `queued`: not read; `in-user`: read; `answering`: written or sent. */
  readonly state: 'partial' | 'queued' | 'in-user' | 'answering';
  readonly ageNs: Nanoseconds;
}

/** What was asked and not answered at a time. Groups of which only an answer is known are not in it. */
export function outstandingAt(trace: Trace, at: Nanoseconds): OutstandingGroup[] {
  const { groups } = readPriHistory(trace);
  return groups.flatMap((group) => {
    const { delivery, answer, unanswered, pasid, index } = group;
    const begun = group.requests[0]?.time ?? delivery?.at.from ?? Number.POSITIVE_INFINITY;
    const over = answer ?? delivery?.response;
    const end =
      answer === undefined
        ? (delivery?.response?.at.to ?? Number.POSITIVE_INFINITY)
        : Math.max(answer.completed, answer.submitted);
    if (begun > at || (over !== undefined && end <= at) || unanswered === 'index-used-again') return [];
    const written = delivery?.response;
    const state =
      written !== undefined && written.at.from <= at
        ? 'answering'
        : delivery !== undefined && delivery.at.from <= at
          ? 'in-user'
          : group.closed && closedAt(group) <= at
            ? 'queued'
            : 'partial';
    const requests = pagesOf(group).filter(({ time }) => time <= at).length;
    return [
      {
        event: eventOf(group),
        device: deviceName(group),
        pasid: pasid < 0 ? null : pasid,
        index,
        requests,
        state,
        ageNs: at - begun,
      },
    ];
  });
}

const CODES = ['success', 'invalid', 'failure'] as const;

/** Code that the device got, or user space wrote; -1: no answer is known. */
function codeOf({ answer, delivery }: RequestGroup): number {
  return answer?.code ?? delivery?.response?.code ?? -1;
}

function deviceName({ rid, delivery }: RequestGroup): string {
  return rid >= 0 ? formatRequester(rid) : `device ${delivery?.records[0]?.device ?? '?'}`;
}

function deviceOf(devices: Map<string, DeviceTally>, group: RequestGroup): DeviceTally {
  const device = deviceName(group);
  const key = `${device} ${group.pasid}`;
  let tally = devices.get(key);
  if (tally === undefined) {
    tally = new DeviceTally(device, group.pasid);
    devices.set(key, tally);
  }
  return tally;
}

class DeviceTally {
  readonly #device: string;
  readonly #pasid: number;
  readonly #stage = new StageTally();
  readonly #codes = { success: 0, invalid: 0, failure: 0 };
  #requests = 0;
  #groups = 0;
  #unanswered = 0;

  constructor(device: string, pasid: number) {
    this.#device = device;
    this.#pasid = pasid;
  }

  add(group: RequestGroup): void {
    const { answer, delivery } = group;
    this.#groups++;
    this.#requests += pagesOf(group).length;
    const code = codeOf(group);
    if (code < 0) this.#unanswered++;
    else this.#codes[CODES[code] ?? 'failure']++;
    const response = delivery?.response;
    if (answer !== undefined && group.closed) {
      const ns = answer.submitted - closedAt(group);
      this.#stage.add(ns, ns, true);
    } else if (
      answer === undefined &&
      delivery !== undefined &&
      response !== undefined &&
      group.requests.length === 0
    ) {
      const exact = delivery.at.from === delivery.at.to && response.at.from === response.at.to;
      this.#stage.add(response.at.from - delivery.at.to, response.at.to - delivery.at.from, exact);
    }
  }

  row(): PriDeviceRow {
    return {
      device: this.#device,
      pasid: this.#pasid < 0 ? null : this.#pasid,
      requests: this.#requests,
      groups: this.#groups,
      ...this.#codes,
      unanswered: this.#unanswered,
      answered: this.#stage.report(),
    };
  }
}

function outOfOrder(groups: readonly RequestGroup[]): number {
  const newest = new Map<number, Nanoseconds>();
  let count = 0;
  const answered = groups.filter(({ answer, closed }) => answer !== undefined && closed);
  for (const group of answered.sort((a, b) => closedAt(a) - closedAt(b))) {
    const submitted = group.answer?.submitted ?? 0;
    const before = newest.get(group.rid) ?? 0;
    if (submitted < before) count++;
    else newest.set(group.rid, submitted);
  }
  return count;
}

function damageOf(findings: readonly PriFinding[]): PriDamage {
  const damage: Record<PriFindingKind, number> = {
    'lost-requests': 0,
    'duplicate-request': 0,
    'reordered-request': 0,
    'request-without-last': 0,
    unanswered: 0,
    'lost-response': 0,
    'orphan-response': 0,
    'refused-request': 0,
    'duplicate-response': 0,
    'early-response': 0,
    'code-differs': 0,
    'orphan-record': 0,
    'unwritten-response': 0,
    'orphan-write': 0,
    'refused-write': 0,
  };
  for (const { kind, count } of findings) damage[kind] += count;
  return damage;
}
