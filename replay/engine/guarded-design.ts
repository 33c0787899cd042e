import { IorrError } from '../../traces/errors.ts';
import type { DomainId, Nanoseconds, PageNumber } from '../../traces/units.ts';
import type {
  CacheTag,
  CommandEmitter,
  Design,
  DesignContext,
  MapIntent,
  Placement,
  UnmapIntent,
} from '../designs/design.ts';

/** Whose code runs. */
export interface DesignOrigin {
  readonly name: string;
  /** As the user named it. */
  readonly file: string;
}

/**
 * A design that is not ours: what it throws becomes an error that says where, and what it hands over is looked at before it can do
 * harm (a timer in the past would never let time go on).
 */
export class GuardedDesign implements Design {
  readonly placement?: Placement;
  readonly #inner: Design;
  readonly #origin: DesignOrigin;
  readonly #emit: GuardedEmitter;

  /** `create` makes the design with the emitter that it gets. Throws `DESIGN_FAILED`. */
  constructor(
    origin: DesignOrigin,
    emit: CommandEmitter,
    context: DesignContext,
    create: (emit: CommandEmitter) => Design,
  ) {
    this.#origin = origin;
    this.#emit = new GuardedEmitter(emit);
    this.#inner = this.#run('create', undefined, () => checked(create(this.#emit)));
    const { placement } = this.#inner;
    if (placement === undefined) return;
    const end = 2 ** (context.addressBits - 12);
    this.placement = {
      map: (intent, tables) =>
        this.#run('placement.map', intent, () => {
          const place = placement.map(intent, tables);
          if (Number.isInteger(place) && place >= 0 && place < end) return place;
          throw new TypeError(`a page number below ${end} expected, it returned ${place}`);
        }),
      unmap: (intent, tables) =>
        this.#run('placement.unmap', intent, () => (placement.unmap(intent, tables) === 1 ? 1 : 0)),
    };
  }

  assignTag(tag: CacheTag): void {
    this.#run('assignTag', undefined, () => this.#inner.assignTag(tag));
  }

  unassignTag(tag: CacheTag): void {
    this.#run('unassignTag', undefined, () => this.#inner.unassignTag(tag));
  }

  setManaged(domain: DomainId, managed: boolean): void {
    this.#run('setManaged', undefined, () => this.#inner.setManaged(domain, managed));
  }

  map(intent: MapIntent): void {
    this.#run('map', intent, () => this.#inner.map(intent));
  }

  unmap(intent: UnmapIntent): void {
    this.#run('unmap', intent, () => this.#inner.unmap(intent));
  }

  sync(domain: DomainId, cpu: number, task: number, time: Nanoseconds): void {
    this.#run('sync', { domain, time }, () => this.#inner.sync(domain, cpu, task, time));
  }

  syncMap(domain: DomainId, cpu: number, task: number, time: Nanoseconds): void {
    this.#run('syncMap', { domain, time }, () => this.#inner.syncMap(domain, cpu, task, time));
  }

  expire(timer: number, time: Nanoseconds): void {
    this.#run('expire', { time }, () => this.#inner.expire(timer, time));
  }

  #run<T>(method: string, about: About | undefined, call: () => T): T {
    if (about !== undefined) this.#emit.now = about.time;
    try {
      return call();
    } catch (error) {
      if (error instanceof IorrError) throw error;
      const { name, file } = this.#origin;
      const why = error instanceof Error ? error.message : String(error);
      throw new IorrError('DESIGN_FAILED', `design '${name}' failed in ${method}${placeOf(about)}: ${why}`, {
        place: { file },
        hint: hintOf(error, file),
        cause: error,
      });
    }
  }
}

/** The same error with the event at which it happened, if it is a design's. */
export function atEvent(error: unknown, event: number): unknown {
  if (!(error instanceof IorrError) || error.code !== 'DESIGN_FAILED' || error.place.event !== undefined) return error;
  const { code, message, place, hint, cause } = error;
  return new IorrError(code, message, { place: { ...place, event }, hint, cause });
}

interface About {
  readonly time: Nanoseconds;
  readonly domain?: DomainId;
  readonly first?: PageNumber;
  readonly last?: PageNumber;
}

const METHODS = [
  'assignTag',
  'unassignTag',
  'setManaged',
  'map',
  'unmap',
  'sync',
  'syncMap',
  'expire',
] as const satisfies readonly (keyof Design)[];

function checked(design: Design): Design {
  const missing = METHODS.filter((method) => typeof (design as Partial<Design> | undefined)?.[method] !== 'function');
  if (missing.length === 0) return design;
  throw new TypeError(`a design with the methods ${METHODS.join(', ')} expected; it lacks ${missing.join(', ')}`);
}

/** ` of pages 0x10 to 0x13 of domain 4 at 12 ns`, as far as known. */
function placeOf(about: About | undefined): string {
  if (about === undefined) return '';
  const { time, domain, first, last } = about;
  const pages =
    first === undefined || last === undefined ? '' : ` of pages 0x${first.toString(16)} to 0x${last.toString(16)}`;
  return `${pages}${domain === undefined ? '' : ` of domain ${domain}`} at ${time} ns`;
}

/** The newest line of the user's file on the stack: `    at Mine.unmap (file:///home/me/mine.js:12:11)`. */
function hintOf(error: unknown, file: string): string {
  const name = file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1);
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const at = stack.split('\n').find((line) => line.includes(`/${name}:`));
  const place = at?.slice(at.indexOf(`/${name}:`) + 1).replace(')', '');
  return `${place === undefined ? '' : `look at ${place}; `}docs/designs.md says what a design is given and must do`;
}

/** Looks at what a design emits: numbers, units and times. */
class GuardedEmitter implements CommandEmitter {
  now: Nanoseconds = 0;
  readonly #emit: CommandEmitter;
  /** Unit of the commands that were not handed over yet. */
  #unit: number | undefined;

  constructor(emit: CommandEmitter) {
    this.#emit = emit;
  }

  command(
    unit: number,
    w0Lo: number,
    w0Hi: number,
    w1Lo: number,
    w1Hi: number,
    w2Lo: number,
    w2Hi: number,
    w3Lo: number,
    w3Hi: number,
  ): void {
    wholeNumber('unit', unit);
    if (this.#unit !== undefined && this.#unit !== unit) {
      throw new TypeError(`command for unit ${unit} while those for unit ${this.#unit} are not submitted`);
    }
    this.#unit = unit;
    this.#emit.command(unit, w0Lo | 0, w0Hi | 0, w1Lo | 0, w1Hi | 0, w2Lo | 0, w2Hi | 0, w3Lo | 0, w3Hi | 0);
  }

  submit(unit: number): void {
    this.#handOver(unit);
    this.#emit.submit(unit);
  }

  publish(unit: number): void {
    this.#handOver(unit);
    this.#emit.publish(unit);
  }

  defer(domain: DomainId, first: PageNumber, last: PageNumber): number {
    wholeNumber('first page', first);
    wholeNumber('last page', last);
    return this.#emit.defer(domain, first, last);
  }

  release(deferred: number): void {
    this.#emit.release(deferred);
  }

  arm(timer: number, at: Nanoseconds): void {
    wholeNumber('timer', timer);
    if (!Number.isFinite(at) || at <= this.now) {
      throw new TypeError(`timer ${timer} armed for ${at} ns, at ${this.now} ns: a later time expected`);
    }
    this.#emit.arm(timer, at);
  }

  #handOver(unit: number): void {
    wholeNumber('unit', unit);
    if (this.#unit !== undefined && this.#unit !== unit) {
      throw new TypeError(`commands for unit ${this.#unit} handed over to unit ${unit}`);
    }
    this.#unit = undefined;
  }
}

function wholeNumber(what: string, value: number): void {
  if (!Number.isInteger(value)) throw new TypeError(`${what}: a whole number expected, got ${String(value)}`);
}
