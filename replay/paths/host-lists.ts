import type { CommandListRules } from './path.ts';

/** Takes `count` commands of the list from `from` on: they go to the hardware. */
export type IssueRun = (from: number, count: number) => void;

/**
 * The lists that a host carries out for a guest, with what it refuses. Commands are carried out in order, in chunks, and a
 * refusal ends the call: what stands before the refused command in its chunk was taken, counted as done, and never issued
 * (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c, arm_vsmmu_cache_invalidate). Whoever knows that sends it once more; the
 * refused one is the guest's error, and is passed over.
 */
export class HostLists {
  readonly #rules: CommandListRules;
  /** Refusals are injected at all. */
  readonly refuses: boolean;
  /** Commands that came in. */
  #seen = 0;
  /** Commands that the host refused, each told to the guest. */
  refused = 0;
  /** Commands that the guest believes done, and that the hardware never got. */
  unissued = 0;

  constructor(rules: CommandListRules) {
    this.#rules = rules;
    this.refuses = rules.refuseEvery > 0;
  }

  /** Carries out a list. Returns the calls that it took. */
  run(count: number, issue: IssueRun): number {
    const { chunk, trustCount } = this.#rules;
    let calls = count > 0 ? 1 : 0;
    let first = 0;
    /** Commands before `first` that the next call has to bring once more. */
    let again = 0;
    for (let k = this.#nextRefused(0, count); k < count; k = this.#nextRefused(k + 1, count)) {
      const left = (again + k - first) % chunk;
      const issued = k - first - (trustCount ? left : 0);
      if (issued > 0) issue(first, issued);
      if (trustCount) this.unissued += left;
      else again = left;
      this.refused++;
      first = k + 1;
      if (again + count - first > 0) calls++;
    }
    if (first < count) issue(first, count - first);
    this.#seen += count;
    return calls;
  }

  /** The first command from `from` on that is refused; `count` if none is. */
  #nextRefused(from: number, count: number): number {
    const { refuseEvery } = this.#rules;
    if (refuseEvery <= 0) return count;
    const past = (this.#seen + from) % refuseEvery;
    return Math.min(count, from + (refuseEvery - 1 - past));
  }
}
