import { IorrError } from '../../traces/errors.ts';
import { ioctlName } from '../../traces/ioctl-requests.ts';
import { Random } from '../../traces/random.ts';
import type { Trace } from '../../traces/trace.ts';
import type { CostName, CostProfile } from '../costs/cost-profile.ts';
import type { FileParameter } from '../profile-file.ts';
import type { ProfileParameter, Standing } from '../results.ts';
import { ioctlSize } from './ioctl-sizes.ts';
import { estimateLine, estimateMedian } from './robust-fit.ts';
import type { Estimate, Reservoir } from './robust-fit.ts';
import { collectSamples } from './trace-samples.ts';
import type { TraceSamples } from './trace-samples.ts';

/** What a trace says of times. */
export interface TraceCalibration {
  /** Costs that the trace tells, with their uncertainty. */
  readonly costs: readonly FileParameter[];
  /** Costs that it can't tell: those of the profile that was given. */
  readonly kept: readonly ProfileParameter[];
  /** Figures that no model takes: calls, whole submissions, page requests. */
  readonly measurements: readonly FileParameter[];
  /** Samples by what they are of; 0: the trace has none. */
  readonly samples: { readonly [what: string]: number };
  readonly notes: readonly string[];
}

export interface TraceFitOptions {
  /** How the trace is named as a source. */
  readonly source: string;
  /** Where the costs come from that the trace can't tell. */
  readonly base: CostProfile;
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly progress?: (events: number) => void;
}

/** Fewer samples than this say nothing. */
const LEAST_SAMPLES = 5;

/**
 * Fits what a trace with durations tells. Same trace and seed, same result; `undefined` if it was aborted. Throws
 * `STREAM_MISSING` where nothing in the trace has a duration.
 */
export async function fitTrace(trace: Trace, options: TraceFitOptions): Promise<TraceCalibration | undefined> {
  const samples = await collectSamples(trace, options.seed, options.signal, options.progress);
  if (samples === undefined) return undefined;
  const fit = new TraceFit(options, samples);
  fit.commands();
  fit.calls();
  fit.pageRequests();
  return fit.result();
}

class TraceFit {
  readonly #options: TraceFitOptions;
  readonly #samples: TraceSamples;
  readonly #random: Random;
  readonly #costs: FileParameter[] = [];
  readonly #measurements: FileParameter[] = [];
  readonly #notes: string[] = [];

  constructor(options: TraceFitOptions, samples: TraceSamples) {
    this.#options = options;
    this.#samples = samples;
    this.#random = new Random(options.seed);
  }

  /** The queue: its start, commands of each kind, the wait. */
  commands(): void {
    const { first, nextOwn, nextDevice, wait, submission, resume } = this.#samples;
    const own = this.#median(nextOwn);
    const device = this.#median(nextDevice);
    const done = this.#median(wait);
    if (own !== undefined) this.#cost('queue.iotlb', own, 'from one command of a submission to the next');
    if (device !== undefined) {
      this.#cost('queue.device-tlb', device, "from a command of a submission to the next, one for a device's TLB");
    }
    if (done !== undefined) this.#cost('queue.wait', done, 'from the last command to its wait');
    const begun = this.#median(first);
    if (begun !== undefined) {
      // the first command is done when it was fetched and carried out
      const service = own?.value ?? this.#default('queue.iotlb');
      const value = Math.max(0, begun.value - service);
      const [least, most] = begun.interval;
      const estimate = {
        ...begun,
        value,
        interval: [Math.max(0, least - service), Math.max(0, most - service)],
      } as const;
      this.#cost('queue.fetch', estimate, 'from the submission to its first command, less one command', 'fitted');
      if (own === undefined) {
        this.#notes.push(
          'no submission has two commands: what the first takes is split into fetch and service by the default',
        );
      }
    }
    const next = this.#median(resume);
    if (next !== undefined) {
      this.#cost('cpu.resume', next, "from the wait's completion to the submitter's next event: an upper bound");
    }
    const whole = this.#median(submission);
    if (whole !== undefined) this.#measure('submission.wait', whole, 'ns', 'from submission to completion', 'measured');
    const line = this.#line(submission);
    if (line !== undefined) {
      this.#measure('submission.fixed', line.fixed, 'ns', 'robust line over the commands of a submission', 'fitted');
      this.#measure('submission.command', line.slope, 'ns', 'robust line over the commands of a submission', 'fitted');
    }
  }

  /** Calls by request: their median, and a fixed part and a slope where the struct says how much there was to do. */
  calls(): void {
    const calls = [...this.#samples.ioctls].sort(([, a], [, b]) => b.seen - a.seen);
    for (const [request, samples] of calls) {
      const median = this.#median(samples);
      if (median === undefined) continue;
      const name = `ioctl.${ioctlName(request)}`.slice(0, 120);
      this.#measure(name, median, 'ns', 'calls that succeeded', 'measured');
      const size = ioctlSize(request);
      const line = size === undefined ? undefined : this.#line(samples);
      if (line === undefined || size === undefined) continue;
      this.#measure(`${name}.fixed`, line.fixed, 'ns', `robust line over the ${size.unit}s of a call`, 'fitted');
      this.#measure(`${name}.${size.unit}`, line.slope, 'ns', `robust line over the ${size.unit}s of a call`, 'fitted');
    }
  }

  pageRequests(): void {
    const median = this.#median(this.#samples.pageRequests);
    if (median === undefined) return;
    this.#measure('page-request', median, 'ns', "from a group's last request to its response", 'measured');
  }

  result(): TraceCalibration {
    const { base, source } = this.#options;
    const { ioctls, first, nextOwn, nextDevice, wait, submission, resume, pageRequests } = this.#samples;
    if (this.#costs.length + this.#measurements.length === 0) {
      throw new IorrError('STREAM_MISSING', 'nothing in the trace has a duration, or too little has', {
        place: { file: source },
        hint: 'record system calls, or import the kernel trace and the log of the hardware together',
      });
    }
    const told = new Set(this.#costs.map(({ name }) => name));
    let calls = 0;
    for (const { seen } of ioctls.values()) calls += seen;
    return {
      costs: this.#costs,
      kept: base.parameters.filter(({ name }) => !told.has(name)),
      measurements: this.#measurements,
      samples: {
        calls,
        submissions: submission.seen,
        first: first.seen,
        nextOwn: nextOwn.seen,
        nextDevice: nextDevice.seen,
        waits: wait.seen,
        resumes: resume.seen,
        pageRequests: pageRequests.seen,
      },
      notes: this.#notes,
    };
  }

  #median({ values, seen }: Reservoir): Estimate | undefined {
    return values.length < LEAST_SAMPLES ? undefined : estimateMedian(values, seen, this.#random);
  }

  #line({ values, sizes, seen }: Reservoir): { fixed: Estimate; slope: Estimate } | undefined {
    return values.length < LEAST_SAMPLES ? undefined : estimateLine(values, sizes, seen, this.#random);
  }

  #default(name: CostName): number {
    return this.#options.base.parameters.find((parameter) => parameter.name === name)?.value ?? 0;
  }

  #cost(name: CostName, estimate: Estimate, what: string, standing: Standing = 'measured'): void {
    this.#costs.push(this.#parameter(name, estimate, 'ns', what, standing));
  }

  #measure(name: string, estimate: Estimate, unit: string, what: string, standing: Standing): void {
    this.#measurements.push(this.#parameter(name, estimate, unit, what, standing));
  }

  #parameter(name: string, estimate: Estimate, unit: string, what: string, standing: Standing): FileParameter {
    const { value, interval, n } = estimate;
    const source = `${this.#options.source.slice(-200)}: ${what}`;
    return { name, value: round(value), unit, source, standing, interval: [round(interval[0]), round(interval[1])], n };
  }
}

function round(ns: number): number {
  return Math.round(ns * 100) / 100;
}
