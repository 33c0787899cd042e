import { VTD_TYPE } from '../../traces/dialects/vtd-fields.ts';
import { FLUSH } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import type { DomainId, Nanoseconds, PageNumber } from '../../traces/units.ts';
import type { CacheTag } from '../designs/design.ts';
import { designParameters } from '../designs/designs.ts';
import { LinuxLazy, linuxLazy } from '../designs/linux-lazy.ts';
import type { TablePresence } from '../designs/table-presence.ts';
import type { CommandMatcher, CommandWords } from './command-matcher.ts';
import type { InvReport } from './inv-report.ts';
import type { InvTraits } from './inv-traits.ts';
import type { FlushIntent, FlushVerifier, UnmapIntent } from './verify-inv.ts';
import { StrictVerifier, flushMatcher } from './verify-strict.ts';

/**
 * A timer never runs out before its time; how late it is depends on the load. 13 to 21 ms is usual for 10 ms at 250 Hz; a stalled
 * virtual CPU adds tens of ms.
 */
const LATEST_NS = 250e6;
/** An unmap this close before a timer's flush on another CPU may have found the timer off already, and armed it anew. */
const RACE_NS = 1e6;

interface TimerState {
  armedAt: Nanoseconds;
  /** Newest unmap before the newest flush, if it may have armed the timer. */
  racedAt: Nanoseconds;
  newestUnmap: Nanoseconds;
}

/**
 * Checks `linux-lazy`: each flush of a whole domain must come at an unmap that finds its CPU's ring full, or from the domain's
 * timer within its window. A ring-full flush is predicted; a timer's flush is explained, and the model goes on from it.
 */
export class LazyVerifier implements FlushVerifier {
  readonly #traits: InvTraits;
  readonly #report: InvReport;
  readonly #strict: StrictVerifier;
  readonly #design: LinuxLazy;
  readonly #matcher: CommandMatcher;
  readonly #timers = new Map<DomainId, TimerState>();
  /** Domains whose ring-full flush is due from a submitter. */
  readonly #due = new Map<number, DomainId[]>();
  readonly #delays: number[] = [];
  readonly #timeoutNs: Nanoseconds;
  #key = 0;
  #event = 0;
  #emitted = false;
  #time = 0;
  #ringFull = 0;
  #outside = 0;
  #unattributed = 0;

  constructor(traits: InvTraits, report: InvReport, tables: TablePresence) {
    this.#traits = traits;
    this.#report = report;
    this.#strict = new StrictVerifier(traits, report, tables, 'linux-strict');
    this.#matcher = flushMatcher(report);
    const parameter = designParameters(linuxLazy);
    this.#timeoutNs = parameter('linux-lazy.timeout') * 1e6;
    this.#design = new LinuxLazy(
      {
        command: (_unit, w0Lo, w0Hi, w1Lo, w1Hi) => {
          this.#emitted = true;
          this.#matcher.expect(this.#key, this.#event, [w0Lo, w0Hi, w1Lo, w1Hi, 0, 0, 0, 0]);
        },
        submit: () => undefined,
        defer: () => 0,
        release: () => undefined,
        arm: (domain) => {
          this.#timer(domain).armedAt = this.#time;
        },
      },
      traits.context,
      { size: parameter('linux-lazy.size'), timeoutNs: this.#timeoutNs, tickNs: 1e9 / parameter('linux-lazy.hz') },
    );
    for (const domain of traits.unmanaged) this.#design.setManaged(domain, false);
  }

  assignTag(tag: CacheTag): void {
    this.#design.assignTag(tag);
    this.#strict.assignTag(tag);
  }

  unassignTag(tag: CacheTag): void {
    this.#design.unassignTag(tag);
    this.#strict.unassignTag(tag);
  }

  map(
    key: number,
    event: number,
    domain: DomainId,
    first: PageNumber,
    last: PageNumber,
    replaced: readonly [number, number],
    cpu: number,
    task: number,
    time: number,
  ): void {
    this.#strict.map(key, event, domain, first, last, replaced, cpu, task, time);
  }

  unmap(intent: UnmapIntent): void {
    const { domain, cpu, task, time } = intent;
    if (domain === ABSENT) {
      this.#unattributed++;
      this.#report.skip('unmap whose domain is not known: it may have filled a ring');
      return;
    }
    if (this.#traits.unmanaged.has(domain)) {
      this.#strict.unmap(intent);
      return;
    }
    this.#at(intent.key, intent.event, time);
    this.#design.unmap(domain, intent.first, intent.last, intent.freedTable, cpu, task, time);
    this.#timer(domain).newestUnmap = time;
    if (!this.#emitted) return;
    const due = this.#due.get(intent.key);
    if (due === undefined) this.#due.set(intent.key, [domain]);
    else due.push(domain);
  }

  unexplained(key: number): DomainId {
    return this.#strict.unexplained(key);
  }

  expects(key: number): boolean {
    return this.#matcher.waiting(key) > 0 || this.#strict.expects(key);
  }

  flush(intent: FlushIntent): void {
    if (intent.op !== FLUSH.all) this.#strict.flush(intent);
    else this.#flushed(intent.key, intent.event, intent.domain, intent.time);
  }

  command(key: number, cpu: number, task: number, event: number, submitted: number, words: CommandWords): void {
    const type = words[0] & 15;
    const iotlb = type === VTD_TYPE.iotlb || type === VTD_TYPE.pasidIotlb;
    const domain = words[0] >>> 16;
    const paged = iotlb ? ((words[0] >>> 4) & 3) === 3 : !isWholeDevice(type, words[2]);
    if (paged || (iotlb && this.#traits.unmanaged.has(domain))) {
      this.#strict.command(key, cpu, task, event, submitted, words);
      return;
    }
    if (!this.#traits.flushEvents && iotlb) this.#flushed(key, event, domain, submitted);
    this.#matcher.record(key, event, words);
  }

  finish(): void {
    this.#strict.finish();
    const { unfinished } = this.#matcher.finish();
    this.#report.skip('predicted flush behind the end of the trace', unfinished);
    const delays = this.#delays.sort((a, b) => a - b);
    const at = (share: number): string => ((delays[Math.floor((delays.length - 1) * share)] ?? 0) / 1e6).toFixed(1);
    this.#report.note(`${this.#ringFull} flushes because a ring of 255 was full, ${delays.length} by a timer`);
    if (delays.length > 0) {
      this.#report.note(
        `timer flushes came ${at(0)} to ${at(1)} ms after the first unmap (median ${at(0.5)}, P90 ${at(0.9)}, P99 ${at(0.99)})`,
      );
    }
    if (this.#outside > 0) this.#report.note(`${this.#outside} flushes came when no timer could have run out`);
  }

  /** A flush of a whole domain begins. */
  #flushed(key: number, event: number, domain: DomainId, time: Nanoseconds): void {
    const due = this.#due.get(key);
    const index = due === undefined ? -1 : due.indexOf(domain);
    if (due !== undefined && index >= 0) {
      due.splice(index, 1);
      this.#ringFull++;
      this.#report.agreed('inv.cause');
      return;
    }
    const timer = this.#timer(domain);
    const late = (from: Nanoseconds): boolean => time - from >= this.#timeoutNs && time - from <= LATEST_NS;
    const from = late(timer.armedAt) ? timer.armedAt : late(timer.racedAt) ? timer.racedAt : -1;
    if (from >= 0) {
      this.#report.agreed('inv.cause');
      this.#delays.push(time - from);
    } else if (this.#unattributed > 0) {
      this.#report.skip('cause of a flush that unmaps of unknown domain may explain');
    } else {
      this.#outside++;
      const delay = ((time - timer.armedAt) / 1e6).toFixed(3);
      const armed = timer.armedAt < 0 ? 'no timer was armed' : `the timer was armed ${delay} ms before`;
      this.#report.diverged('inv.cause', event, 'cause', `flush of domain ${domain}`, `no ring full, ${armed}`);
    }
    this.#at(key, event, time);
    timer.racedAt = time - timer.newestUnmap < RACE_NS ? timer.newestUnmap : -1;
    timer.armedAt = -1;
    this.#design.flushNow(domain);
  }

  #timer(domain: DomainId): TimerState {
    let timer = this.#timers.get(domain);
    if (timer === undefined) {
      timer = { armedAt: -1, racedAt: -1, newestUnmap: Number.NEGATIVE_INFINITY };
      this.#timers.set(domain, timer);
    }
    return timer;
  }

  #at(key: number, event: number, time: Nanoseconds): void {
    this.#key = key;
    this.#event = event;
    this.#time = time;
    this.#emitted = false;
  }
}

function isWholeDevice(type: number, w1Lo: number): boolean {
  return w1Lo === (type === VTD_TYPE.deviceTlb ? -0xfff : -0x800);
}
