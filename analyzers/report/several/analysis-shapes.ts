import { exposure, iotlb, caveats, parameters, stale } from './replay-shapes.ts';
import { ShapeError, each, flag, list, mapOf, number, optional, orNull, record, text } from './shape.ts';

/** Shapes of what `analyze` prints (docs/json.md). */

const spread = record(each('sum p50 p95 p99 max', number));
const batches = list(record({ name: text, batches: number, size: spread }));

export const batchingShape = record({
  ...each('unmaps unmappedPages commands submits submitsPerUnmap', number),
  ...each('commandsPerSubmit unmapPages runPages runUnmaps', orNull(spread)),
  ...each('commandsByCpu unmapsByDevice', batches),
  ...each('hardware profile access', text),
  replayed: list(
    record(each('batch commands syncs doorbells cpuNs stallNs misses exposedPages pageSeconds exposureP99Ns', number)),
  ),
  parameters,
  caveats,
});

const part = { ...each('lookups compulsory entries99', number), misses: list(number) };

export const iotlbShape = record({
  hardware: text,
  ...each('lookups unavoidable', number),
  sample: orNull(record(each('rate seed lookups', number))),
  chosen: record({
    organisation: text,
    ...each('sets ways entries', number),
    onCurve: flag,
    iotlb: orNull(iotlb),
  }),
  curve: list(
    record({
      ...each('entries lookups hits misses error', number),
      causes: record(each('compulsory capacity conflict invalidation', number)),
    }),
  ),
  knee: orNull(record(each('entries missRatio', number))),
  reach: list(record(each('share entries', number))),
  associativity: list(record({ ways: number, points: list(record(each('sets entries misses conflict', number))) })),
  devices: list(record({ ...part, rid: number })),
  domains: list(record({ ...part, domain: number })),
  parameters,
  caveats,
});

const spans = list(
  record({
    name: text,
    ...each('count sumNs', number),
    ns: record(each('min p50 p90 p95 p99 p999 max mean', number)),
    bins: list(record(each('startNs count p50 p99 max', number))),
  }),
);

export const latencyShape = record({
  ...each('startNs binNs', number),
  ...each('commands ioctls', orNull(spans)),
  faults: orNull(record({ spans, ...each('requests groups responses unanswered orphans givenUp', number) })),
});

const unflushed = orNull(
  record({
    unmaps: number,
    pages: record(each('covered remapped open', number)),
    ns: record(each('p50 p95 p99 max', number)),
  }),
);

export const safetyShape = record({
  hardware: text,
  ...each('events durationNs wasted redundant overWide overWideBytes domainWide collateral deviceTlbPerIotlb', number),
  ...each('exposure deviceExposure', orNull(exposure)),
  stale: orNull(stale),
  ...each('unflushed unflushedDevices', unflushed),
  commands: record(each('iotlb deviceTlb waits', number)),
  findingsByKind: mapOf(number),
  findings: list(record({ ...each('event unmap ageNs', number), ...each('kind what', text) })),
  caveats,
});

export const ioctlShape = record({
  ...each('calls failed unknown processes durationNs kernelNs', number),
  requests: list(
    record({
      name: text,
      file: orNull(text),
      ...each('calls failed unknown', number),
      errnos: mapOf(number),
      latencyNs: orNull(spread),
    }),
  ),
  batches: list(record({ ...each('name unit', text), size: spread })),
  containers: orNull(
    record({
      calls: number,
      differences: list(record({ ...each('name native compat', text), ...each('calls firstEvent', number) })),
    }),
  ),
});

const findings = (more: Parameters<typeof record>[0]): ReturnType<typeof list> =>
  list(record({ event: number, ...more }));

export const dirtyShape = record({
  source: orNull(text),
  ...each('startNs endNs', number),
  writes: orNull(
    record({
      ...each('writes pages bytes', number),
      rate: record({
        ...each('startNs binNs peakBytesPerSecond meanBytesPerSecond', number),
        pages: list(number),
      }),
      workingSet: list(record(each('windowNs pages', number))),
      hotSets: list(record(each('pageBytes pages hot50 hot90 hot99', number))),
      heat: record({
        ...each('startNs binNs blockBytes', number),
        bands: list(record({ space: text, start: hexAddress, pages: list(number) })),
      }),
    }),
  ),
  harvested: orNull(
    record({
      count: number,
      overReporting: list(record(each('leafBytes leaves reportedPages writtenPages factor', number))),
    }),
  ),
  estimates: orNull(
    record({
      memoryBytes: number,
      profile: text,
      rows: list(record(each('leafBytes entries tables cleared flushes bitmapBytes ns nsPerGib', number))),
      parameters,
    }),
  ),
  migration: orNull(
    record({
      syncs: findings({
        ...each('startNs durationNs pages reported waiting', number),
        agrees: orNull(flag),
        why: orNull(text),
      }),
      ...each('compared agreed explained passes passesReported sentPages', number),
    }),
  ),
  harvests: orNull(
    record({
      ...each('calls clearing walkedBytes entries bits bitmapBytes flushes durationNs nsPerGib', number),
      list: findings({ ...each('timeNs walkedBytes entries bits bitmapBytes durationNs', number), iova: text }),
    }),
  ),
  lost: record(each('bytes calls defectBytes defectCalls', number)),
  findings: findings({
    ...each('bytes pages pageBytes moreRanges', number),
    ranges: list(record({ iova: text })),
    cleared: flag,
    quirk: optional(orNull(text)),
  }),
  caveats,
});

const stage = orNull(
  record({
    ...each('count exact sumNs early', number),
    ns: record(each('min p50 p90 p95 p99 p999 max mean', number)),
    atMostNs: orNull(record(each('min p50 p90 p95 p99 p999 max mean', number))),
    histogram: list(record(each('fromNs count', number))),
  }),
);
const level = orNull(record({ ...each('max maxAtNs mean', number), bins: list(record(each('max mean', number))) }));

export const priShape = record({
  sees: record(each('requests reads commands completions calls', flag)),
  ...each('startNs endNs requests groups answered unanswered commands outOfOrder', number),
  sizes: list(record(each('requests groups', number))),
  codes: record(each('success invalid failure', number)),
  by: record(each('user kernel unknown', number)),
  answers: list(record({ ...each('code by what', text), groups: number })),
  devices: list(
    record({
      device: text,
      ...each('pasid requests groups success invalid failure unanswered', number),
      answered: stage,
    }),
  ),
  stages: record(each('queued served issued completed answered whole', stage)),
  occupancy: orNull(record({ ...each('startNs binNs', number), ...each('requests groups waiting inUser', level) })),
  repeats: orNull(
    record(
      each(
        'pages pagesAgain requests afterSuccess afterInvalid afterFailure whileOutstanding flushedBetween mostOfOnePage',
        number,
      ),
    ),
  ),
  prefetch: list(record(each('blockPages blocks avoided share', number))),
  lost: record(each('events places', number)),
  damage: mapOf(number),
  findings: findings({ ...each('kind what', text), count: number }),
  caveats,
});

/** `0x1a2b`: it is calculated with. */
function hexAddress(value: unknown, path: string): void {
  text(value, path);
  if (typeof value === 'string' && !/^0x[0-9a-f]{1,16}$/.test(value)) throw new ShapeError(path, 'an address', value);
}
