import type { Context } from '../model/iommufd/context.ts';

const BEFORE = 'process from before the recording';
/** Something that the model can't follow was done. */
export const UNKNOWN_EFFECT = 'follows a call whose effect is not known';
const LOST = 'follows lost events';

/**
 * What the recording doesn't show of processes and contexts: files, memory, objects. A call that doesn't agree with the model
 * then says nothing about the model; one that agrees does.
 */
export class Doubts {
  readonly #processes = new Map<number, string>();
  readonly #contexts = new Map<Context, string>();
  /** Whether the source tells of files and processes at all; one that tells of ioctls only begins where it begins. */
  readonly #told: boolean;
  /** First process of the recording; undefined where its beginning is not recorded. */
  #root: number | undefined = undefined;
  #lost = false;

  constructor(told: boolean) {
    this.#told = told;
  }

  /** A recording begins with this process. */
  start(root: number): void {
    this.#processes.clear();
    this.#contexts.clear();
    this.#root = root;
    this.#lost = false;
  }

  /** A process of which no parent is known does something for the first time; `execs`: it begins a new program. */
  appeared(pid: number, execs: boolean): void {
    if (this.#lost) this.#processes.set(pid, LOST);
    else if (this.#told && pid !== this.#root && !execs) this.#processes.set(pid, BEFORE);
  }

  forked(parent: number, child: number): void {
    const doubt = this.#processes.get(parent);
    if (doubt !== undefined) this.#processes.set(child, doubt);
  }

  /** Events are missing here: they may have made, changed or ended anything of these processes. */
  lost(processes: Iterable<number>): void {
    this.#lost = true;
    for (const pid of processes) this.#processes.set(pid, LOST);
  }

  process(pid: number, why: string): void {
    if (!this.#processes.has(pid)) this.#processes.set(pid, why);
  }

  context(context: Context, why: string): void {
    if (!this.#contexts.has(context)) this.#contexts.set(context, why);
  }

  /** Why a difference of a call would say nothing. `pins`: its result counts what all processes have pinned. */
  excuse(pid: number, context: Context | undefined, pins: boolean): string | undefined {
    const doubt = this.#processes.get(pid) ?? (context === undefined ? undefined : this.#contexts.get(context));
    if (doubt !== undefined) return doubt;
    if (context?.partial === true) return 'objects from before the recording';
    if (!pins) return undefined;
    if (this.#lost) return LOST;
    return this.#contexts.values().next().value ?? this.#processes.values().next().value;
  }
}
