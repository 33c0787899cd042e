import { accessModel } from '../../replay/access/access-models.ts';
import { ATC_PARAMETERS } from '../../replay/atc/atc-parameters.ts';
import { DESIGNS, designTrouble, namedDesign } from '../../replay/designs/designs.ts';
import { compareDirty } from '../../replay/dirty/compare-dirty.ts';
import { DIRTY_PARAMETERS } from '../../replay/dirty/dirty-parameters.ts';
import { applySettings } from '../../replay/engine/compare-settings.ts';
import type { CompareSettings } from '../../replay/engine/compare-settings.ts';
import { compareTrace } from '../../replay/engine/compare.ts';
import { deriveIntents } from '../../replay/engine/derived-trace.ts';
import { replayTrace } from '../../replay/engine/replay.ts';
import type { HardwareProfile } from '../../replay/hardware/profile.ts';
import { comparePri } from '../../replay/faults/compare-pri.ts';
import { queueOfIommu } from '../../replay/faults/queues/page-request-queues.ts';
import { readRecordedFaults } from '../../replay/faults/service/recorded-arrivals.ts';
import type { RecordedFaults } from '../../replay/faults/service/recorded-arrivals.ts';
import { SERVICE_PARAMETERS, serviceParameters } from '../../replay/faults/service/service-parameters.ts';
import { findPath } from '../../replay/paths/paths.ts';
import type { IotlbCounts } from '../../replay/results.ts';
import { decodeTrace, decodedAsTrace } from '../../replay/sweep/decoded-trace.ts';
import { planPasses } from '../../replay/sweep/passes.ts';
import { runPass } from '../../replay/sweep/run-pass.ts';
import { sweepPoint } from '../../replay/sweep/sweep-point.ts';
import type { SweepMetrics, SweepQuestion, SweepValues } from '../../replay/sweep/sweep-point.ts';
import { fairnessOf, tenantHits } from '../../replay/tenants/fairness.ts';
import { sourceNames } from '../../replay/tenants/tenant-names.ts';
import type { SourceNames, TenantOptions } from '../../replay/tenants/tenant-names.ts';
import { TenantTrace } from '../../replay/tenants/tenant-trace.ts';
import { IorrError } from '../../traces/errors.ts';
import type { Trace } from '../../traces/trace.ts';
import { parseLink } from '../link-rate.ts';
import { priDesigns } from '../pri-compare/pri-what-if.ts';
import { overflowTail } from './overflow-tail.ts';
import type { TailOptions } from './overflow-tail.ts';
import type { Measurement, Study } from './plan-metric.ts';
import { PRQ, TENANTS } from './plan-parameters.ts';

/** Events of a trace that is held decoded, to be read again and again. */
const MOST_DECODED = 4_000_000;
const USUAL_DESIGN = 'linux-strict';
const OWN_DIRTY = ['dirty.link', 'dirty.threads', 'dirty.method'];

/** What is the same at every setting. */
export interface MeasureOptions {
  readonly question: SweepQuestion;
  readonly studies: ReadonlySet<Study>;
  /** Without; of studies of designs `linux-strict`. */
  readonly design?: string;
  readonly path?: string;
  readonly clones: Omit<TenantOptions, 'tenants'>;
  readonly downtimeLimitNs: number | null;
  /** Told of each setting that was measured. */
  readonly measured?: (measurement: Measurement) => void;
}

/** A setting, with all its values by name. */
export interface Setting {
  readonly values: SweepValues;
  readonly tenants: number;
}

/** Measures settings of one trace, or of several that tenants play. Each is measured once. */
export class Measurer {
  /** Settings measured, and readings of the trace for them. */
  evaluations = 0;
  readings = 0;
  readonly #sources: readonly Trace[];
  readonly #options: MeasureOptions;
  readonly #known = new Map<string, Measurement>();
  readonly #tails: TailOptions['known'] = new Map();
  readonly #decoded = new Map<Trace, Trace>();
  #names: readonly SourceNames[] | undefined;
  #clones: { readonly tenants: number; readonly trace: TenantTrace } | undefined;
  #bases: readonly Trace[] | undefined;
  #faults: RecordedFaults | undefined;

  constructor(sources: readonly Trace[], options: MeasureOptions) {
    this.#sources = sources;
    this.#options = options;
  }

  /** Events of one tenant, of the largest trace. */
  get events(): number {
    return Math.max(...this.#sources.map(({ eventCount }) => eventCount));
  }

  /** Whether settings are measured together, in few readings. */
  together(settings: readonly Setting[]): boolean {
    const { studies } = this.#options;
    if (settings.length < 2 || studies.size !== 1 || !studies.has('iotlb')) return false;
    if (new Set(settings.map(({ tenants }) => tenants)).size > 1) return false;
    const passes = planPasses(settings.map((setting) => this.#point(setting)));
    return passes.length <= Math.max(1, Math.log2(settings.length) / 2);
  }

  /** The trace of so many tenants. */
  traceOf(tenants: number): Trace {
    const [first] = this.#sources;
    if (tenants === 1 && this.#sources.length === 1 && first !== undefined) return this.#base(first);
    return this.tenantTrace(tenants);
  }

  /** So many tenants, also where there is one alone. */
  tenantTrace(tenants: number): TenantTrace {
    if (this.#clones?.tenants === tenants) return this.#clones.trace;
    this.#bases ??= this.#sources.map((source) =>
      this.#base(deriveIntents(source, this.#options.question.driver) ?? source),
    );
    this.#names ??= this.#bases.map(sourceNames);
    const trace = new TenantTrace(this.#bases, { ...this.#options.clones, tenants }, this.#names);
    this.#clones = { tenants, trace };
    return trace;
  }

  async measure(settings: readonly Setting[]): Promise<readonly Measurement[]> {
    const missing = settings.filter((setting) => !this.#known.has(keyOf(setting)));
    if (this.#options.studies.has('iotlb') && this.#options.studies.size === 1 && missing.length > 1) {
      await this.#measureTogether(missing);
    } else {
      for (const setting of missing) {
        this.#keep(setting, await this.#one(setting));
      }
    }
    return settings.map((setting) => this.#known.get(keyOf(setting))!);
  }

  #keep(setting: Setting, measurement: Measurement): void {
    this.#known.set(keyOf(setting), measurement);
    this.evaluations++;
    this.#options.measured?.(measurement);
  }

  /** Hardware of a setting. */
  hardwareOf(setting: Setting): HardwareProfile {
    return this.#settings(setting).hardware;
  }

  #base(trace: Trace): Trace {
    const held = this.#decoded.get(trace);
    if (held !== undefined) return held;
    const base = trace.eventCount <= MOST_DECODED ? decodedAsTrace(decodeTrace(trace)) : trace;
    this.#decoded.set(trace, base);
    return base;
  }

  #point({ values }: Setting): ReturnType<typeof sweepPoint> {
    const { [TENANTS]: _tenants, ...own } = values;
    return sweepPoint('', '', this.#options.question, own);
  }

  async #measureTogether(settings: readonly Setting[]): Promise<void> {
    const byTenants = new Map<number, Setting[]>();
    for (const setting of settings)
      byTenants.set(setting.tenants, [...(byTenants.get(setting.tenants) ?? []), setting]);
    for (const [tenants, group] of byTenants) {
      const points = group.map((setting) => this.#point(setting));
      const trace = this.traceOf(tenants);
      const found = new Map<string, { readonly metrics: SweepMetrics; readonly caveats: readonly string[] }>();
      for (const pass of planPasses(points)) {
        for (const result of await runPass(pass, trace)) found.set(result.id, result);
        this.readings++;
      }
      group.forEach((setting, i) => {
        const result = found.get(points[i]?.id ?? '');
        if (result === undefined) throw new RangeError('a pass answers each of its points');
        const { hardware } = this.#settings(setting);
        this.#keep(setting, {
          values: setting.values,
          tenants,
          durationNs: 0,
          iotlb: countsOf(result.metrics),
          parameters: hardware.parameters,
          caveats: result.caveats,
        });
      });
    }
  }

  #settings({ values }: Setting): CompareSettings & { readonly design: string; readonly path: string } {
    const { question, design = USUAL_DESIGN, path = 'native' } = this.#options;
    const chosen = { design: String(values['design'] ?? design), path: String(values['path'] ?? path) };
    const named = namedDesign(chosen.design, DESIGNS);
    if (named === undefined) {
      const [message, hint] = designTrouble(chosen.design, DESIGNS);
      throw new IorrError('USAGE', message, { hint });
    }
    const own = Object.entries(values).flatMap(([name, value]) =>
      ['design', 'path', 'cores', TENANTS, ...OWN_DIRTY].includes(name) || name.startsWith(PRQ)
        ? []
        : [`${name}=${value}`],
    );
    const parts = [
      named.design,
      findPath(chosen.path),
      { parameters: ATC_PARAMETERS },
      { parameters: SERVICE_PARAMETERS },
      { parameters: DIRTY_PARAMETERS },
    ];
    return { ...applySettings([...question.settings, ...own], question.hardware, question.profile, parts), ...chosen };
  }

  async #one(setting: Setting): Promise<Measurement> {
    const { studies, question } = this.#options;
    const { values, tenants } = setting;
    const settings = this.#settings(setting);
    const { hardware, profile, parameters } = settings;
    const trace = (): Trace => this.traceOf(tenants);
    let measured: Measurement = {
      values,
      tenants,
      durationNs: 0,
      iotlb: null,
      parameters: hardware.parameters,
      caveats: [],
    };
    const { access, seed, driver } = question;
    const modelled = access === undefined || access === 'recorded' ? undefined : accessModel(access);
    if (studies.has('design')) {
      const cores = values['cores'];
      const result = await compareTrace(trace(), {
        designs: [settings.design],
        paths: [settings.path],
        hardware,
        profile,
        parameters,
        seed,
        ...(cores === undefined ? {} : { cores: [Number(cores)] }),
        ...(access === undefined ? {} : { access }),
        ...(driver === undefined ? {} : { driver }),
      });
      this.readings++;
      const design = result?.designs[0];
      if (result === undefined || design === undefined) throw new RangeError('nobody aborts');
      const point = design.scaling?.points.find((one) => one.cores === cores);
      measured = {
        ...measured,
        design,
        iotlb: design.iotlb,
        durationNs: result.durationNs,
        parameters: result.parameters,
        caveats: [...measured.caveats, ...result.caveats],
        ...(point === undefined ? {} : { cores: point }),
      };
    } else if (studies.has('replay') || (studies.has('iotlb') && modelled !== undefined)) {
      const replay = replayTrace(trace(), {
        hardware,
        ...(driver === undefined ? {} : { driver }),
        ...(modelled === undefined ? {} : { accesses: { factory: modelled, seed } }),
      });
      this.readings++;
      measured = {
        ...measured,
        replay,
        iotlb: replay.iotlb,
        durationNs: replay.durationNs,
        caveats: [...measured.caveats, ...replay.caveats],
      };
    } else if (studies.has('iotlb')) {
      const [pass] = planPasses([this.#point(setting)]);
      const [result] = pass === undefined ? [] : await runPass(pass, trace());
      this.readings++;
      if (result === undefined) throw new RangeError('a point has a result');
      measured = { ...measured, iotlb: countsOf(result.metrics), caveats: [...measured.caveats, ...result.caveats] };
    }
    if (studies.has('tenants')) {
      const hits = tenantHits(this.tenantTrace(tenants), hardware);
      this.readings++;
      measured = { ...measured, fairness: fairnessOf(hits) };
    }
    if (studies.has('pri')) measured = await this.#withPri(measured, settings);
    if (!studies.has('dirty')) return measured;
    return this.#withDirty(measured, settings);
  }

  async #withPri(measured: Measurement, { profile, parameters }: CompareSettings): Promise<Measurement> {
    const { question } = this.#options;
    const trace = this.traceOf(measured.tenants);
    const text = Object.entries(measured.values)
      .filter(([name]) => name.startsWith(PRQ))
      .map(([name, value]) => `${name.slice(PRQ.length)}=${value}`)
      .join(';');
    const designs = priDesigns(text, queueOfIommu(trace.header.host.iommu));
    const result = await comparePri(trace, { designs, profile, parameters, seed: question.seed });
    const [row] = result?.rows ?? [];
    const [design] = designs;
    if (result === undefined || row === undefined || design === undefined) throw new RangeError('a design has a row');
    // of one number of tenants the requests stay the same
    const faults = measured.tenants === 1 ? (this.#faults ??= readRecordedFaults(trace)) : readRecordedFaults(trace);
    this.readings++;
    const tail = overflowTail(row, {
      faults,
      design,
      parameter: serviceParameters(parameters, profile.dirty).parameter,
      seed: question.seed,
      known: measured.tenants === 1 ? this.#tails : new Map(),
    });
    return {
      ...measured,
      pri: { row, tail },
      parameters: [...measured.parameters, ...result.parameters],
      caveats: [...measured.caveats, ...result.caveats],
    };
  }

  async #withDirty(measured: Measurement, { hardware, profile, parameters }: CompareSettings): Promise<Measurement> {
    const { question, downtimeLimitNs } = this.#options;
    const { values } = measured;
    const link = values['dirty.link'];
    const result = await compareDirty(this.traceOf(measured.tenants), {
      methods: String(values['dirty.method'] ?? 'ad-bits'),
      tables: 'auto',
      threads: [Number(values['dirty.threads'] ?? 1)],
      hardware,
      profile,
      linkBytesPerSecond: link === undefined ? null : parseLink(String(link), '--vary dirty.link'),
      downtimeLimitNs,
      planBytes: 0,
      parameters,
      seed: question.seed,
    });
    this.readings++;
    const row = result?.methods[0];
    const threads = row?.threads[0];
    if (result === undefined || row === undefined || threads === undefined) throw new RangeError('nobody aborts');
    return {
      ...measured,
      dirty: {
        row,
        threads,
        linkBytesPerSecond: result.linkBytesPerSecond,
        downtimeLimitNs: result.downtimeLimitNs,
      },
      parameters: [...measured.parameters, ...result.parameters],
      caveats: [...measured.caveats, ...result.caveats],
    };
  }
}

function keyOf({ values, tenants }: Setting): string {
  return JSON.stringify([tenants, Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

function countsOf(metrics: SweepMetrics): IotlbCounts | null {
  const of = (name: string): number => metrics[name] ?? 0;
  if (metrics['lookups'] === null || metrics['lookups'] === undefined) return null;
  const causes = {
    compulsory: of('compulsory'),
    capacity: of('capacity'),
    conflict: of('conflict'),
    invalidation: of('invalidation'),
  };
  return { lookups: of('lookups'), hits: of('lookups') - of('misses'), misses: of('misses'), causes };
}
