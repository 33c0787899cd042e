import { CacheTags } from '../designs/cache-tags.ts';
import type { CommandEmitter, Design, DesignContext, DesignParameter, DesignPromise } from '../designs/design.ts';
import type { DomainFlush, FlushRange } from '../designs/domain-flush.ts';
import { createFlush } from '../designs/flushes.ts';
import { flushMix } from '../designs/flush-mix.ts';
import { LinuxStrict } from '../designs/linux-strict.ts';

/** A design of the user's own, in a file of their own (docs/designs.md). */
export interface UserDesign {
  /** Letters, digits and hyphens. Parameters begin with it and a dot. */
  readonly name: string;
  readonly summary?: string;
  /** Default: `none`. */
  readonly promise?: DesignPromise;
  readonly parameters?: readonly DesignParameter[];
  /** `emit` takes commands, `context` says what the hardware and the system offer, `parameter` gives values by full name. */
  create(
    emit: CommandEmitter,
    context: DesignContext,
    parameter: (name: string) => number,
    blocks: DesignBlocks,
  ): Design;
}

/** What the built-in designs are made of, for others to build on. */
export interface DesignBlocks {
  /** A complete strict Linux design of its own, to hand to what needs no change. */
  strict(): Design;
  /** The lists of cache tags of all domains: hand it every `assignTag` and `unassignTag`. */
  tags(): CacheTags;
  /** The commands of the context's dialect for the domains that `tags` lists, batched as Linux does. */
  flush(tags: CacheTags): DomainFlush;
  /** The fewest commands for a set of ranges; undefined if more than `most`, so that the whole domain is better. */
  mix(ranges: readonly FlushRange[], most: number): readonly FlushRange[] | undefined;
}

export function designBlocks(emit: CommandEmitter, context: DesignContext): DesignBlocks {
  return {
    strict: () => new LinuxStrict(emit, context),
    tags: () => new CacheTags(),
    flush: (tags) => createFlush(emit, context, tags),
    mix: (ranges, most) => flushMix(ranges, context, most),
  };
}
