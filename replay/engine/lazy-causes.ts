import { ABSENT } from '../../traces/units.ts';
import type { DomainId, Nanoseconds } from '../../traces/units.ts';
import type { CacheTag, CommandEmitter } from '../designs/design.ts';
import { designParameters } from '../designs/designs.ts';
import { LinuxLazy, linuxLazy } from '../designs/linux-lazy.ts';
import type { RecordedMap, RecordedUnmap } from './flush-verifier.ts';
import type { InvReport } from './inv-report.ts';
import type { InvTraits } from './inv-traits.ts';

/**
 * A timer never runs out before its time; how late it is depends on the load. 13 to 21 ms is usual for 10 ms at 250 Hz; a stalled
 * virtual CPU adds tens of ms.
 */
const LATEST_NS = 250e6;
/**
 * An unmap this close before a flush from another CPU may have been queued after that flush had begun, so that it still takes
 * room in its ring afterwards.
 */
const RACE_NS = 1e6;

interface TimerState {
  armedAt: Nanoseconds;
  /** When the CPU that was silent for longest was last heard of, at arming: since then its ticks may have been late. */
  quietSince: Nanoseconds;
  /**
   * First unmap after the armed timer may have run out: if it had, and its flush was only late to be traced, this unmap found the
   * timer off and armed it anew.
   */
  rearmedAt: Nanoseconds;
  /** What `rearmedAt` was at the newest flush. */
  racedAt: Nanoseconds;
}

/** Unmaps of one domain on one CPU, as far as races are concerned. */
interface Recent {
  /** Times of the newest unmaps, oldest first, within `RACE_NS`. */
  readonly times: Nanoseconds[];
  /** Of those in front of the newest flush from another CPU. */
  raced: number;
}

/** Unmaps of unknown domain that wait for the next flush, by CPU. */
interface Unknown {
  count: number;
  /** The newest unmap of all, if its domain is not known. */
  newest: RecordedUnmap | undefined;
}

/** Told where a command that the model emits belongs: the submitter and event behind it. */
export type LazyEmit = (key: number, event: number, ...command: Parameters<CommandEmitter['command']>) => void;

/**
 * Why a lazy system flushed: each flush of a whole domain must come at an unmap that finds its CPU's ring full, or from the domain's
 * timer within its window. A ring-full flush is predicted; a timer's flush is explained, and the model goes on from it.
 */
export class LazyCauses {
  readonly #traits: InvTraits;
  readonly #report: InvReport;
  readonly #design: LinuxLazy;
  readonly #timers = new Map<DomainId, TimerState>();
  /** Domains whose ring-full flush is due from a submitter. */
  readonly #due = new Map<number, DomainId[]>();
  readonly #delays: number[] = [];
  readonly #timeoutNs: Nanoseconds;
  readonly #ringHolds: number;
  readonly #unknown = new Map<number, Unknown>();
  readonly #recent = new Map<DomainId, Map<number, Recent>>();
  /** CPU of the newest unmap of each domain. */
  readonly #cpus = new Map<DomainId, number>();
  /** When each CPU was last heard of. */
  readonly #heard = new Map<number, Nanoseconds>();
  /** Newest unmap of each submitter, if nothing but flushes came behind it. */
  readonly #newest = new Map<number, RecordedUnmap>();
  #guessed = 0;
  #races = 0;
  #early = 0;
  #key = 0;
  #event = 0;
  #time = 0;
  #ringFull = 0;
  #outside = 0;
  #unattributed = 0;

  constructor(traits: InvTraits, report: InvReport, emit: LazyEmit, submit: () => void = () => undefined) {
    this.#traits = traits;
    this.#report = report;
    const parameter = designParameters(linuxLazy);
    this.#timeoutNs = parameter('linux-lazy.timeout') * 1e6;
    this.#ringHolds = parameter('linux-lazy.size') - 1;
    this.#design = new LinuxLazy(
      {
        command: (...command) => emit(this.#key, this.#event, ...command),
        submit,
        publish: () => undefined,
        defer: () => 0,
        release: () => undefined,
        arm: (domain) => {
          const timer = this.#timer(domain);
          timer.armedAt = this.#time;
          timer.quietSince = Math.min(this.#time, ...this.#heard.values());
        },
      },
      traits.context,
      { size: parameter('linux-lazy.size'), timeoutNs: this.#timeoutNs, tickNs: 1e9 / parameter('linux-lazy.hz') },
    );
    for (const domain of traits.unmanaged) this.#design.setManaged(domain, false);
  }

  assignTag(tag: CacheTag): void {
    this.#design.assignTag(tag);
  }

  unassignTag(tag: CacheTag): void {
    this.#design.unassignTag(tag);
  }

  /** A CPU did something. */
  heard(cpu: number, time: Nanoseconds): void {
    if (cpu >= 0) this.#heard.set(cpu, time);
  }

  /** A mapping whose own commands are somebody else's affair. */
  mapped({ key, cpu, time }: RecordedMap): void {
    this.heard(cpu, time);
    this.#newest.delete(key);
  }

  /** A mapping, and what it makes the driver send. */
  map(intent: RecordedMap): void {
    this.mapped(intent);
    this.#at(intent.key, intent.event, intent.time);
    this.#design.map(intent);
    this.#design.syncMap(intent.domain, intent.cpu, intent.task, intent.time);
  }

  /** An unmap of a domain that is not queued, and what it makes the driver send. */
  flushUnmap(intent: RecordedUnmap): void {
    this.#newest.set(intent.key, intent);
    this.#at(intent.key, intent.event, intent.time);
    this.#design.unmap(intent);
    this.#design.sync(intent.domain, intent.cpu, intent.task, intent.time);
  }

  /** Unmaps of domains that user space owns are flushed at once and say nothing about causes. */
  isQueued(domain: DomainId): boolean {
    return !this.#traits.unmanaged.has(domain);
  }

  unmap(intent: RecordedUnmap): void {
    const { domain, cpu, time } = intent;
    if (domain === ABSENT) {
      const unknown = this.#unknownOf(cpu);
      unknown.count++;
      unknown.newest = intent;
      this.#unattributed++;
      this.#report.skip('unmap whose domain is not known: it may have filled a ring');
      return;
    }
    this.#unknownOf(cpu).newest = undefined;
    this.#newest.set(intent.key, intent);
    if (!this.isQueued(domain)) return;
    this.#at(intent.key, intent.event, time);
    this.#cpus.set(domain, cpu);
    const before = this.#design.fullRings;
    this.#design.unmap(intent);
    const full = this.#design.fullRings > before;
    const { times } = this.#recentOf(domain, cpu);
    times.push(time);
    while ((times[0] ?? time) < time - RACE_NS) times.shift();
    this.heard(cpu, time);
    const timer = this.#timer(domain);
    if (timer.armedAt >= 0 && timer.rearmedAt < 0 && time - timer.armedAt >= this.#timeoutNs) timer.rearmedAt = time;
    if (!full) return;
    const due = this.#due.get(intent.key);
    if (due === undefined) this.#due.set(intent.key, [domain]);
    else due.push(domain);
  }

  /** The next unmap of this CPU in the domain will find its ring full. */
  isFull(domain: DomainId, cpu: number): boolean {
    return this.#design.isFull(domain, cpu);
  }

  /** CPU of the newest unmap in a domain; -1 if there was none. */
  newestCpu(domain: DomainId): number {
    return this.#cpus.get(domain) ?? -1;
  }

  /** A full ring asked for a flush of the domain that was not recorded yet. */
  isDue(domain: DomainId): boolean {
    for (const due of this.#due.values()) if (due.includes(domain)) return true;
    return false;
  }

  /** Nothing waits to be flushed in the domain, and nothing was queued since its newest flush. */
  isIdle(domain: DomainId): boolean {
    return this.#timer(domain).armedAt < 0 && !this.isDue(domain);
  }

  /** What was found out about all of them. */
  finish(): void {
    const delays = this.#delays.sort((a, b) => a - b);
    const at = (share: number): string => ((delays[Math.floor((delays.length - 1) * share)] ?? 0) / 1e6).toFixed(1);
    this.#report.note(`${this.#ringFull} flushes because a ring of 255 was full, ${delays.length} by a timer`);
    if (delays.length > 0) {
      this.#report.note(
        `timer flushes came ${at(0)} to ${at(1)} ms after the first unmap (median ${at(0.5)}, P90 ${at(0.9)}, P99 ${at(0.99)})`,
      );
    }
    if (this.#early > 0) {
      this.#report.note(
        `${this.#early} of them came before their time, while a CPU was silent: jiffies can have stood still`,
      );
    }
    if (this.#races > 0) {
      this.#report.note(`${this.#races} of the full rings held unmaps that a flush on another CPU raced with`);
    }
    if (this.#guessed > 0) {
      this.#report.note(
        `${this.#guessed} of the full rings were filled with the help of unmaps whose domain is not known`,
      );
    }
    if (this.#outside > 0) this.#report.note(`${this.#outside} flushes came when no timer could have run out`);
  }

  /** A flush of a whole domain begins. */
  flushed(key: number, cpu: number, event: number, domain: DomainId, time: Nanoseconds): void {
    this.heard(cpu, time);
    const due = this.#due.get(key);
    const index = due === undefined ? -1 : due.indexOf(domain);
    if (due !== undefined && index >= 0) {
      due.splice(index, 1);
      this.#race(domain, cpu, time);
      this.#ringFull++;
      this.#report.agreed('inv.cause');
      return;
    }
    if (this.#fullAfterRace(key, cpu, event, domain, time)) return;
    if (this.#fullWithUnknown(key, cpu, event, domain, time)) return;
    this.#race(domain, cpu, time);
    const timer = this.#timer(domain);
    const late = (from: Nanoseconds): boolean => time - from >= this.#timeoutNs && time - from <= LATEST_NS;
    const from = late(timer.armedAt) ? timer.armedAt : late(timer.racedAt) ? timer.racedAt : -1;
    if (from >= 0) {
      this.#report.agreed('inv.cause');
      this.#delays.push(time - from);
    } else if (timer.armedAt >= 0 && time - timer.quietSince >= this.#timeoutNs && time - timer.armedAt <= LATEST_NS) {
      // jiffies are counted by one CPU; while it does not run they stand still, and timers run out that much earlier
      this.#report.agreed('inv.cause');
      this.#delays.push(time - timer.armedAt);
      this.#early++;
    } else if (this.#unattributed > 0) {
      this.#report.skip('cause of a flush that unmaps of unknown domain may explain');
    } else {
      this.#outside++;
      const delay = ((time - timer.armedAt) / 1e6).toFixed(3);
      const armed = timer.armedAt < 0 ? 'no timer was armed' : `the timer was armed ${delay} ms before`;
      this.#report.diverged('inv.cause', event, 'cause', `flush of domain ${domain}`, `no ring full, ${armed}`);
    }
    this.#at(key, event, time);
    timer.racedAt = timer.rearmedAt;
    timer.armedAt = -1;
    timer.rearmedAt = -1;
    this.#design.flushNow(domain);
  }

  /** True if the flush comes at an unmap that fills the ring, counting those that a flush on another CPU raced with. */
  #fullAfterRace(key: number, cpu: number, event: number, domain: DomainId, time: Nanoseconds): boolean {
    const newest = this.#newest.get(key);
    if (newest === undefined || newest.domain !== domain) return false;
    const recent = this.#recentOf(domain, cpu);
    if (recent.raced === 0 || this.#design.queued(domain, cpu) + recent.raced <= this.#ringHolds) return false;
    this.#ringFull++;
    this.#races++;
    this.#fill(key, event, domain, newest, time);
    return true;
  }

  /** A flush that the model could not foresee because a ring was fuller than it knew. The newest unmap is queued behind it. */
  #fill(key: number, event: number, domain: DomainId, newest: RecordedUnmap, time: Nanoseconds): void {
    this.#race(domain, newest.cpu, time);
    this.#report.agreed('inv.cause');
    this.#at(key, event, time);
    this.#design.flushFull(domain);
    this.#design.unmap({ ...newest, domain, time });
  }

  /** Notes how many unmaps on other CPUs a flush may not have covered. */
  #race(domain: DomainId, cpu: number, time: Nanoseconds): void {
    for (const [other, recent] of this.#recent.get(domain) ?? []) {
      recent.raced = other === cpu ? 0 : recent.times.filter((at) => at >= time - RACE_NS).length;
    }
  }

  #recentOf(domain: DomainId, cpu: number): Recent {
    let byCpu = this.#recent.get(domain);
    if (byCpu === undefined) {
      byCpu = new Map();
      this.#recent.set(domain, byCpu);
    }
    let recent = byCpu.get(cpu);
    if (recent === undefined) {
      recent = { times: [], raced: 0 };
      byCpu.set(cpu, recent);
    }
    return recent;
  }

  /** True if the flush comes at an unmap that can fill the ring together with those of unknown domain. */
  #fullWithUnknown(key: number, cpu: number, event: number, domain: DomainId, time: Nanoseconds): boolean {
    const unknown = this.#unknownOf(cpu);
    const newest = unknown.newest?.key === key ? unknown.newest : this.#newest.get(key);
    if (newest === undefined || (newest.domain !== domain && newest.domain !== ABSENT)) return false;
    if (unknown.count === 0 || this.#design.queued(domain, cpu) + unknown.count <= this.#ringHolds) return false;
    unknown.count = 0;
    unknown.newest = undefined;
    this.#ringFull++;
    this.#guessed++;
    this.#fill(key, event, domain, newest, time);
    return true;
  }

  #unknownOf(cpu: number): Unknown {
    let unknown = this.#unknown.get(cpu);
    if (unknown === undefined) {
      unknown = { count: 0, newest: undefined };
      this.#unknown.set(cpu, unknown);
    }
    return unknown;
  }

  #timer(domain: DomainId): TimerState {
    let timer = this.#timers.get(domain);
    if (timer === undefined) {
      timer = { armedAt: -1, quietSince: -1, rearmedAt: -1, racedAt: -1 };
      this.#timers.set(domain, timer);
    }
    return timer;
  }

  #at(key: number, event: number, time: Nanoseconds): void {
    this.#key = key;
    this.#event = event;
    this.#time = time;
  }
}
