import { caveats, parameters, waits } from './replay-shapes.ts';
import { each, flag, list, number, oneOf, orNull, record, scalar, text } from './shape.ts';

/** Shapes of what `compare --dirty` and `compare --pri` print (docs/json.md). */

const work = record(
  each(
    'calls entriesRead tablesVisited entriesCleared entriesWritten splits merges flushes bitmapBytes ringEntries faults exits requests responses retranslations accesses misses walkReads updates',
    number,
  ),
);

const storms = record({
  ...each('pass faults protectedBlocks durationNs slices', number),
  queue: text,
  storms: list(
    record({
      name: text,
      latency: waits,
      ...each(
        'slices blocksAtOnce faults spanNs queueMean queueP99 queueMax waitingMax overflowProbability deviceStallNs stallShare blockedShare',
        number,
      ),
    }),
  ),
});

const migration = record({
  converged: flag,
  ...each(
    'downtimeNs totalNs memoryPages sentPages zeroPages sentBytes resentPages missedPages throttle harvestNs startNs stopNs repeats',
    number,
  ),
  passes: list(record(each('startNs durationNs sent dirty reported missed harvestNs throttle', number))),
});

const method = record({
  name: text,
  canMiss: orNull(text),
  ...each(
    'written reported over missed ranges missesCaused stallNs throughputLost handlerNs unmapHarvests unmapNs',
    number,
  ),
  ...each('counts tracking', work),
  pri: orNull(
    record({
      latencies: list(
        record({
          ...each('name standing source', text),
          ...each('latencyNs deviceStallNs underWay throughputLost', number),
        }),
      ),
      storms: orNull(storms),
    }),
  ),
  threads: list(
    record({
      ...each('threads harvestNs worstNs nsPerGiB startNs stopNs', number),
      wallNs: list(number),
      migration,
    }),
  ),
  series: record(each('t written reported over missed ranges entriesRead entriesCleared', list(number))),
  plan: orNull(
    record({
      ...each('bytes tableBytes tables entries bitmapBytes cleared samples', number),
      ...each('formulaNs sampledNs', list(number)),
    }),
  ),
});

const boundaries = list(
  record({ ...each('method against wins', text), ...each('atLatencyNs dirtyBytesPerSecond', number) }),
);
const drawnBoundaries = list(
  record({
    ...each('method against wins', text),
    ...each('atLatencyNs dirtyBytesPerSecond', number),
    latencyNs: list(number),
  }),
);

const crossover = record({
  intervalNs: number,
  ...each('scales dirtyBytesPerSecond', list(number)),
  methods: list(
    record({
      name: text,
      ...each('byRequest ofDevices', flag),
      ...each('fixedNs requests reportedBytes saturatedNs', list(number)),
    }),
  ),
  marks: list(record({ ...each('name standing', text), latencyNs: number })),
  maps: list(
    record({
      criterion: oneOf('cost', 'migration'),
      winners: list(list(record({ method: text, fromNs: number }))),
      boundaries: drawnBoundaries,
    }),
  ),
  links: list(record({ linkBytesPerSecond: number, boundaries })),
  checks: list(record({ method: text, ...each('scale formulaNs runNs', number) })),
  left: list(text),
});

export const compareDirtyShape = record({
  dirty: record({
    ...each('hardware profile tables source', text),
    ...each('events startNs durationNs memoryBytes harvests linkBytesPerSecond downtimeLimitNs', number),
    interval: scalar,
    recorded: orNull(
      record({
        completed: flag,
        ...each('passes memoryPages sentPages zeroPages totalNs downtimeNs throttle', number),
      }),
    ),
    methods: list(method),
    crossover: orNull(crossover),
    parameters,
    caveats,
  }),
});

const level = record(each('mean p50 p95 p99 max', number));
const levelSeries = record({ ...each('startNs binNs', number), ...each('mean max', list(number)) });

export const comparePriShape = record({
  pri: record({
    profile: text,
    recorded: record({
      source: text,
      unit: orNull(text),
      ...each(
        'otherUnits startNs durationNs requests groups devices groupsPerSecond answered refused unanswered partial stopMarkers orphans',
        number,
      ),
      responseNs: orNull(waits),
      inOrder: orNull(flag),
    }),
    rows: list(
      record({
        ...each('name serviceStanding', text),
        design: record({
          ...each('queue service arrivals', text),
          ...each('depth outstanding servers speed batch repairBytes prefetch', number),
        }),
        ...each(
          'spanNs groupsPerSecond groups repaired refused lost avoided requests lostRequests overflowProbability overflows overflowNs held discarded retries givenUp depthNeeded utilisation submissions prefetched prefetchUsed entriesWritten stallShare blockedShare',
          number,
        ),
        ...each('responseNs doneNs', waits),
        responseBars: list(record(each('fromNs count', number))),
        parts: record(each('deviceNs queueNs serverNs serviceNs batchNs', waits)),
        ...each('queue host', level),
        ...each('queueSeries hostSeries', levelSeries),
      }),
    ),
    parameters,
    caveats,
  }),
});
