import type { Context } from '../model/iommufd/context.ts';
import type { IommufdFile, Process } from '../model/iommufd/process.ts';

const BEFORE = 'process whose beginning was not recorded';
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
  /** Processes that were seen to make an object. */
  readonly #makers = new Set<number>();
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
    this.#makers.clear();
    this.#root = root;
    this.#lost = false;
  }

  /** A process of which no parent is known does something for the first time; `execs`: it begins a new program. */
  appeared(pid: number, execs: boolean): void {
    if (this.#told && pid !== this.#root && !execs) this.#processes.set(pid, BEFORE);
    else if (this.#lost) this.#processes.set(pid, LOST);
  }

  /** What was lost of a parent earlier shows in a child, if at all, by descriptors that don't fit (`descriptor`). */
  forked(parent: number, child: number): void {
    const doubt = this.#processes.get(parent);
    if (doubt !== undefined && doubt !== LOST) this.#processes.set(child, doubt);
  }

  /** A call gave a new descriptor: the lowest free one, if all that were opened and closed before are known. */
  descriptor(pid: number, fd: number, lowest: number): void {
    if (this.#lost && fd !== lowest) this.process(pid, LOST);
  }

  /** Events are missing here: they may have made, changed or ended anything of these processes, and of their iommufds. */
  lost(processes: Iterable<Process>): void {
    this.#lost = true;
    for (const { pid, fds } of processes) {
      this.process(pid, LOST);
      // A child that is forked later has them too.
      for (const file of fds.values()) if (file.kind === 'iommufd') this.context((file as IommufdFile).context, LOST);
    }
  }

  process(pid: number, why: string): void {
    if (!this.#processes.has(pid)) this.#processes.set(pid, why);
  }

  context(context: Context, why: string): void {
    if (!this.#contexts.has(context)) this.#contexts.set(context, why);
  }

  /** A process makes what later calls use. */
  made(pid: number): void {
    this.#makers.add(pid);
  }

  /**
   * By the model a call fails, of a source that has no fds: before anything was seen made, the recording began behind it.
   */
  unknown(pid: number): void {
    if (!this.#makers.has(pid)) this.process(pid, BEFORE);
  }

  /** Why a difference of a call would say nothing. */
  excuse(pid: number, context: Context | undefined): string | undefined {
    const doubt = this.#processes.get(pid) ?? (context === undefined ? undefined : this.#contexts.get(context));
    if (doubt !== undefined) return doubt;
    return context?.partial === true ? 'objects from before the recording' : undefined;
  }

  /** The same for a call that finds a device taken by somebody else, whose end may be lost: what follows from it is doubted too. */
  taken(pid: number): string | undefined {
    if (!this.#lost) return undefined;
    this.process(pid, LOST);
    return LOST;
  }

  /**
   * The same for a call whose result depends on what all processes have pinned: an end of which may be lost, or a beginning.
   * `fewer`: the kernel counted less than the model.
   */
  pins(fewer: boolean, processes: Iterable<Process>): string | undefined {
    if (this.#lost && fewer) return LOST;
    for (const { pid, fds } of processes) {
      const doubt = this.#processes.get(pid);
      for (const file of fds.values()) {
        if (file.kind !== 'iommufd') continue;
        const why = doubt ?? this.excuse(pid, (file as IommufdFile).context);
        if (why !== undefined) return why;
      }
    }
    return undefined;
  }
}
