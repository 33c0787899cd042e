import type { ChartData } from './chart-data.ts';
import { partOf, partsOf } from './chapter.ts';
import type { PagePart } from './chapter.ts';
import type { ComparedRow } from './comparison.ts';
import type { CompareReport } from './envelope.ts';
import { formatNs } from './format-units.ts';
import { coresSection, deviceTable } from './html-time.ts';
import { phasesTable } from './html-basis.ts';
import { metricTable } from './html-table.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { metricsOf } from './metrics.ts';

interface Panel {
  /** Which chart the script draws here. */
  readonly plot: 'commands' | 'syncs' | 'hitRate' | 'exposed' | 'utilisation' | 'distribution';
  readonly title: string;
  readonly sub: string;
  readonly caption: string;
  readonly metrics: readonly string[];
  /** Why there is no chart; null where there is one. */
  readonly missing: Markup | null;
}

function panel(rows: readonly ComparedRow[], one: Panel): Markup {
  const chart =
    one.missing === null
      ? html`<figure><figcaption><div><h3>${one.title}</h3><p class="sub">${one.sub}</p></div><div class="tools"></div></figcaption><div class="plot" data-plot="${one.plot}"></div><div class="legend"></div></figure>`
      : html`<div><h3>${one.title}</h3><p class="sub">${one.sub}</p><p class="none">${one.missing}</p></div>`;
  const table = metricTable(rows, metricsOf(...one.metrics), { caption: one.caption, rich: false });
  return html`<div class="panel"><div class="beside">${chart}<div>${table}</div></div></div>`;
}

const NO_SERIES = html`<b>Nothing to draw</b>: the trace has no event that a design would act on.`;
const NO_ACCESSES = html`<b>Unknown</b>: the trace holds no accesses and no access model was named. Record with a source that sees them, or name a model with <code>--access</code>.`;

export function chartSections(
  report: CompareReport,
  rows: readonly ComparedRow[],
  data: ChartData,
): readonly PagePart[] {
  const { time } = data;
  const bin = time === null ? '' : `, in steps of ${formatNs(time.binNs)}`;
  const noSeries = time === null ? NO_SERIES : null;
  const { access } = report.result;
  const whose =
    access === 'recorded' || access === 'none'
      ? null
      : html` <b>The accesses are those of the model ${access}, not recorded ones.</b>`;
  const exposureKnown = rows.some((row) => row.design.exposure !== null);
  const work = partOf(
    'work',
    'Work over time',
    html`What each design sends to the hardware. All charts over time share their axis: point at one and all show that instant, drag to look closer, double-click for the whole.${
      data.focus === null ? null : ' They begin with the workload, from its first mark to its last.'
    }`,
    html`${panel(rows, {
      plot: 'commands',
      title: 'Commands',
      sub: `Invalidation commands per second${bin}`,
      caption: 'Commands, and the CPU time that they take',
      metrics: ['commands', 'wasted', 'cpuNs'],
      missing: noSeries,
    })}${panel(rows, {
      plot: 'syncs',
      title: 'Syncs',
      sub: `Waits for the queue per second${bin}`,
      caption: 'Syncs, doorbells and stalls',
      metrics: ['syncs', 'doorbells', 'exits', 'stallNs'],
      missing: noSeries,
    })}${phaseNote(report)}`,
  );
  const modelled = partOf(
    'time',
    'Modelled time',
    html`The queue as those see it who wait for it. Times rest on the cost profile and on the path; see the basis below.`,
    html`${panel(rows, {
      plot: 'utilisation',
      title: 'Queue utilisation',
      sub: `Share of the time in which the busiest queue worked${bin}`,
      caption: 'Percentiles of waiting, and full queues',
      metrics: ['time.submitToWait.p50', 'time.submitToWait.p99', 'time.lockWait.p99', 'time.fullStalls'],
      missing: (time?.utilisation ?? null) === null ? NO_SERIES : null,
    })}${deviceTable(rows)}`,
  );
  const iotlb = partOf(
    'iotlb',
    'IOTLB',
    html`How often a device finds its translation cached. An invalidation costs twice: once to send, once more when the device misses.${whose}`,
    html`${panel(rows, {
      plot: 'hitRate',
      title: 'Hit rate',
      sub: `Hits per lookup${bin}; no point where nothing was looked up`,
      caption: 'Lookups and why they missed',
      metrics: ['iotlb.hitRate', 'iotlb.lookups', 'iotlb.misses', 'iotlb.causes.invalidation'],
      missing: time === null ? NO_SERIES : time.hitRate === null ? NO_ACCESSES : null,
    })}`,
  );
  const exposed = partOf(
    'exposure',
    'Exposure',
    html`A page that is unmapped but still cached can be reached by the device. Exposure is how many such pages there are and how long they stay; a stale translation is an access that used one.${whose}`,
    html`${panel(rows, {
      plot: 'exposed',
      title: 'Exposed pages',
      sub: `Pages unmapped but still cached, the most in each step${time === null ? '' : ` of ${formatNs(time.binNs)}`}`,
      caption: 'How many pages, and for how long together',
      metrics: ['exposure.pages', 'exposure.pageSeconds', 'exposure.maxAtOnce', 'stale.translations'],
      missing: time === null ? NO_SERIES : time.exposed === null ? NO_ACCESSES : null,
    })}${panel(rows, {
      plot: 'distribution',
      title: 'How long pages stay exposed',
      sub: 'Pages by duration of their exposure; each step is twice as long as the one before',
      caption: 'Percentiles of the duration',
      metrics: ['exposure.ns.p50', 'exposure.ns.p95', 'exposure.ns.p99', 'exposure.ns.max'],
      missing: !exposureKnown
        ? NO_ACCESSES
        : data.exposure === null
          ? html`<b>None</b>: no page was unmapped while it was cached.`
          : null,
    })}${exposureKnown ? endedBy(rows) : null}`,
  );
  return partsOf(work, modelled, coresSection(rows), iotlb, exposed);
}

function phaseNote(report: CompareReport): Markup | null {
  const table = phasesTable(report);
  return table === null ? null : html`<div class="panel">${table}</div>`;
}

function endedBy(rows: readonly ComparedRow[]): Markup {
  const keys = ['command', 'replacement', 'overflow', 'remap', 'open'].map((end) => `exposure.endedBy.${end}`);
  const table = metricTable(rows, metricsOf('exposure.unmappedPages', 'exposure.pages', ...keys), {
    caption: 'Pages by what made them unreachable again',
    rich: false,
  });
  return html`<div class="panel"><details open><summary>What ended the exposure</summary>${table}</details></div>`;
}
