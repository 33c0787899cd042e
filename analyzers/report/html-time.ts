import { formatRequester } from '../../traces/units.ts';
import { partOf } from './chapter.ts';
import type { PagePart } from './chapter.ts';
import { isDesign } from './comparison.ts';
import type { ComparedRow, DesignRow } from './comparison.ts';
import { formatCount, formatDecimal, formatNs, formatShare } from './format-units.ts';
import { coresFigure } from './html-cores.ts';
import { rowKey } from './html-table.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';

/** Rows of the table of devices; JSON has all. */
const MOST_DEVICES = 64;

/** Each device under each design: what it waited for, and what its own cache was told. Null where no device did anything. */
export function deviceTable(rows: readonly ComparedRow[]): Markup | null {
  const lines = rows.flatMap((row) => (isDesign(row) ? devicesOf(row) : []));
  if (lines.length === 0) return null;
  const more =
    lines.length > MOST_DEVICES
      ? html`<p class="sub">${formatCount(lines.length - MOST_DEVICES)} more: <code>--json</code></p>`
      : null;
  return html`<div class="panel"><p class="caption">Devices: requests that waited for a walk, and commands to the devices' own caches</p><div class="scroll"><table class="sortable" aria-label="Devices"><thead><tr><th scope="col" class="text">Design</th><th scope="col" class="text">Device</th><th scope="col">Requests</th><th scope="col">Walks</th><th scope="col">Reads</th><th scope="col" title="Requests for a page whose walk was under way">Merged</th><th scope="col" title="Time in which at least one request waited">Stall</th><th scope="col">Device-TLB commands</th></tr></thead><tbody>${lines.slice(0, MOST_DEVICES)}</tbody></table></div>${more}</div>`;
}

function devicesOf(row: DesignRow): readonly Markup[] {
  const { time, atc } = row.design;
  const commands = new Map(atc?.devices.map((device) => [device.rid, device]));
  const stalls = new Map(time.devices.map((device) => [device.rid, device]));
  const rids = [...new Set([...stalls.keys(), ...commands.keys()])].sort((a, b) => a - b);
  return rids.map((rid) => {
    const stall = stalls.get(rid);
    const told = commands.get(rid);
    const count = (value: number | undefined): Markup =>
      value === undefined ? html`<td data-v=""></td>` : html`<td data-v="${value}">${formatCount(value)}</td>`;
    const cut = told?.quarantined === true ? html` <span class="standing assumed">quarantined</span>` : null;
    return html`<tr><th scope="row"><span class="named">${rowKey(row)}<span class="label">${row.label}</span></span></th><td class="text">${formatRequester(rid)}${cut}</td>${count(stall?.requests)}${count(stall?.walks)}${count(stall?.walkReads)}${count(stall?.merged)}<td data-v="${stall?.stallNs ?? ''}">${stall === undefined ? '' : formatNs(stall.stallNs)}</td>${count(told?.commands)}</tr>`;
  });
}

/** How many cores the queues bear; null where it was not asked for. */
export function coresSection(rows: readonly ComparedRow[]): PagePart | null {
  const scaled = rows.filter(isDesign).filter((row) => row.design.scaling !== undefined);
  const figure = coresFigure(scaled);
  if (figure === null) return null;
  const lines = scaled.flatMap((row) => {
    const { scaling } = row.design;
    if (scaling === undefined) return [];
    const { knee } = scaling;
    const last = scaling.points.at(-1);
    const cores = (value: number | null): string => (value === null ? 'not reached' : formatDecimal(value));
    return [
      html`<tr><th scope="row"><span class="named">${rowKey(row)}<span class="label">${row.label}</span></span></th><td data-v="${knee.bound ?? ''}">${cores(knee.bound)}</td><td data-v="${knee.departs ?? ''}">${cores(knee.departs)}</td><td data-v="${knee.saturates ?? ''}">${cores(knee.saturates)}</td><td data-v="${last?.submissionsPerSecond ?? ''}">${last === undefined ? '' : `${formatCount(Math.round(last.submissionsPerSecond))}/s`}</td><td data-v="${last?.waitNs.p99 ?? ''}">${last === undefined ? '' : formatNs(last.waitNs.p99)}</td><td data-v="${last?.utilisation ?? ''}">${last === undefined ? '' : formatShare(last.utilisation, 1)}</td></tr>`,
    ];
  });
  return partOf(
    'cores',
    'Cores',
    html`So many cores that think, submit and wait as the trace's own did. Where a line leaves the diagonal, they wait for each other.`,
    html`<div class="beside">${figure}<div class="panel"><h3>The knee</h3><p class="sub">Bound: what one core thinks and waits, over what the busiest queue needs for it; more cores than this can't be served without waiting. Departs: fewer submissions than 90 % of as many single cores. Saturates: the queue is busy 95 % of the time.</p></div></div><div class="panel"><p class="caption">The knee, and the most cores that were tried</p><div class="scroll"><table class="sortable" aria-label="Knee"><thead><tr><th scope="col" class="text">Design</th><th scope="col" title="(think + wait of one core) / demand of the busiest queue">Bound</th><th scope="col" title="Least number of cores below 90 % of as many single ones">Departs</th><th scope="col" title="Least number of cores at which the queue is busy 95 % of the time">Saturates</th><th scope="col">Submissions</th><th scope="col">Wait P99</th><th scope="col">Queue busy</th></tr></thead><tbody>${lines}</tbody></table></div></div>`,
  );
}
