/** A kernel defect, or something that later kernels lack, as a named rule, with the versions that are known to have it. */
export interface Quirk {
  readonly name: string;
  /** First and last kernel version known to have it; the last is open where no mended kernel is known. */
  readonly since: string;
  readonly until?: string;
  readonly what: string;
  /** A kernel of which the version is not known counts as without it. */
  readonly named?: true;
}

export const QUIRKS = {
  'contiguous-dirty-tail': {
    name: 'contiguous-dirty-tail',
    since: '7.2',
    what: 'a dirty contiguous entry that the request covers to its end reports one item too few while all of it is cleared',
  },
  'endless-dirty-walk': {
    name: 'endless-dirty-walk',
    since: '7.2',
    what: 'a bitmap request that starts inside the last item of a dirty contiguous entry never returns',
  },
  'mock-queue-slot': {
    name: 'mock-queue-slot',
    since: '7.2',
    what: 'the mock driver frees slot 0 whichever hardware queue is destroyed',
  },
  'nesting-container': {
    name: 'nesting-container',
    since: '3.18',
    until: '6.12',
    what: 'containers of VFIO say that they have VFIO_TYPE1_NESTING_IOMMU, which 6.13 took out',
    named: true,
  },
  'rejected-cookie-zero': {
    name: 'rejected-cookie-zero',
    since: '7.2',
    what: 'after a rejected response with cookie 0 later reads hand out cookie 0',
  },
} as const satisfies { readonly [name: string]: Quirk };

export type QuirkName = keyof typeof QUIRKS;

/** Quirks of a kernel version (`7.2.13`); of one that isn't known, all of them but those that are `named`. */
export function quirksOf(kernel: string | undefined): QuirkName[] {
  const version = numberOf(kernel);
  return (Object.keys(QUIRKS) as QuirkName[]).filter((name) => {
    const quirk: Quirk = QUIRKS[name];
    if (version === undefined) return quirk.named !== true;
    const until = numberOf(quirk.until);
    return version >= (numberOf(quirk.since) ?? 0) && (until === undefined || version <= until);
  });
}

/** 7002 for `7.2.13`. */
function numberOf(version: string | undefined): number | undefined {
  const match = version === undefined ? null : /^(\d+)\.(\d+)/.exec(version);
  return match === null ? undefined : Number(match[1]) * 1000 + Number(match[2]);
}
