import { each, flag, list, mapOf, number, oneOf, optional, orNull, record, scalar, text } from './shape.ts';

/** Shapes of what `replay`, `compare`, `verify`, `sweep`, `plan`, `diff` and `bench` print (docs/json.md). */

export const parameters = list(
  record({
    ...each('name unit source', text),
    value: number,
    standing: oneOf('measured', 'published', 'fitted', 'assumed'),
  }),
);
export const caveats = list(text);
export const waits = record(each('count mean p50 p95 p99 max', number));

const causes = record(each('compulsory capacity conflict invalidation', number));
export const iotlb = record({ ...each('lookups hits misses', number), causes });
const caches = mapOf(record({ ...each('lookups hits misses', number), causes, invalidatedBy: mapOf(number) }));
export const exposure = record({
  ...each('pages unmappedPages pageSeconds maxAtOnce', number),
  ns: record(each('p50 p95 p99 max', number)),
  endedBy: record(each('command replacement overflow remap open', number)),
  histogram: list(number),
});
export const stale = record(each('translations maxAgeNs', number));
const series = record({
  ...each('binNs startNs', number),
  ...each('commands syncs lookups hits exposedPages', list(number)),
});
const commandErrors = list(record({ ...each('error what', text), count: number }));

const commands = {
  ...each('events commands syncs doorbells wallNs eventsPerSecond walks walkReads', number),
  hardware: text,
  commandsByType: mapOf(number),
  commandErrors,
  parameters,
  caveats,
};

export const replayShape = record({
  ...commands,
  ...each('durationNs faults wasted', number),
  iotlb: orNull(iotlb),
  caches: orNull(caches),
  exposure: orNull(exposure),
  deviceExposure: orNull(exposure),
  stale: orNull(stale),
  series,
});

export const countsShape = record({
  ...commands,
  ...each('untranslated invalidated', number),
  engine: text,
  iotlb: orNull(record(each('lookups hits misses', number))),
});

const time = record({
  ...each('submitToWait lockWait', waits),
  ...each('spanNs lateNs', number),
  queues: list(
    record({
      ...each('unit index commands tailWrites utilisation lockUtilisation deepest fullStalls fullStallNs', number),
      name: optional(text),
      series: record({ ...each('binNs startNs', number), utilisation: list(number) }),
    }),
  ),
  devices: list(record(each('rid requests walks walkReads merged waitNs stallNs', number))),
});

const scaling = record({
  points: list(
    record({
      ...each('cores submissionsPerSecond relative utilisation lockUtilisation thinkNs', number),
      waitNs: record(each('mean p50 p99', number)),
    }),
  ),
  knee: record(each('bound departs saturates peak', number)),
});

const atc = record({
  ...each('commands perUnmap timeouts timeoutNs lost unsent blockedAccesses', number),
  devices: list(record({ ...each('rid commands', number), quarantined: flag })),
});

const row = {
  ...each('name path', text),
  ...each('unmaps commands syncs doorbells exits ioctls cpuNs stallNs wasted', number),
  commandsByType: mapOf(number),
  iotlb: orNull(iotlb),
  exposure: orNull(exposure),
  stale: orNull(stale),
  caches: optional(orNull(caches)),
  overMapped: optional(record(each('maxPages pageSeconds', number))),
  series,
};

export const compareShape = record({
  ...each('hardware profile access', text),
  ...each('events durationNs', number),
  recorded: orNull(record(row)),
  designs: list(
    record({
      ...row,
      lists: orNull(record(each('refused unissued', number))),
      atc: orNull(atc),
      time,
      scaling: optional(scaling),
    }),
  ),
  marks: list(record({ t: number, text })),
  parameters,
  caveats,
});

const counts = record(each('checked agreed diverged', number));
export const verifyShape = record({
  ...each('checked agreed diverged', number),
  skipped: record({ count: number, reasons: mapOf(number) }),
  ...each('byKind byPart', mapOf(counts)),
  divergences: list(record({ event: number, ...each('kind what recorded model', text) })),
  notes: list(text),
});

export const sweepShape = record({
  ...each('trace hardware profile counts', text),
  parameters: list(record({ name: text, values: list(scalar) })),
  metrics: list(text),
  points: list(record({ id: text, values: mapOf(scalar), metrics: mapOf(number) })),
  caveats,
});

const outcomes = list(
  record({ goal: text, ...each('value margin headroom', number), ...each('unbounded holds', flag) }),
);
const setting = { values: mapOf(scalar), tenants: number, holds: flag, goals: outcomes };

export const planShape = record({
  ...each('hardware profile', text),
  design: orNull(text),
  goals: list(record({ ...each('text metric statistic operator unit', text), limit: number })),
  vary: list(record({ ...each('name kind', text), values: list(scalar) })),
  answers: list(
    record({
      tenants: number,
      method: text,
      evaluated: list(record(setting)),
      ...each('chosen closest', orNull(record(setting))),
      smaller: list(record({ ...setting, parameter: text })),
      binds: orNull(
        record({
          ...each('goal misses', orNull(text)),
          headroom: number,
          resources: list(record({ ...each('name what', text), use: number })),
        }),
      ),
      moreLoad: orNull(record({ what: text, goals: outcomes })),
      fairness: orNull(record(each('tenants min median max jain', number))),
      overflow: orNull(record(each('basis how', text))),
      until: orNull(record(each('holds breaks', number))),
    }),
  ),
  ...each('spreadNs evaluations readings', number),
  parameters,
  caveats,
});

export const diffShape = record({
  ...each('of alignment', text),
  sameWork: flag,
  threshold: number,
  metrics: list(
    record({
      ...each('name unit better kind basis', text),
      ...each('a b change noise p', number),
      interval: orNull(list(number)),
      verdict: oneOf('same', 'better', 'worse', 'inconclusive'),
    }),
  ),
  missing: list(record(each('family why', text))),
  caveats,
  gate: record({
    conditions: list(record({ ...each('text state why', text), metric: orNull(text) })),
    breached: flag,
    metrics: list(text),
  }),
});

export const benchShape = record({
  machine: record({ ...each('node cpu', text), cpus: number }),
  figures: list(
    record({ ...each('suite name unit', text), ...each('median min max spread runs amount noise', number) }),
  ),
  noise: number,
});
