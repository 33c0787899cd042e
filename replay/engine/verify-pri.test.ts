import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../traces/file.ts';
import type { Trace } from '../../traces/trace.ts';
import { verifyPri } from './verify-pri.ts';
import { verifyTrace } from './verify.ts';

const CORPUS = join(import.meta.dirname, '../../traces/corpus');

function withTrace<T>(name: string, use: (trace: Trace) => T): T {
  const trace = openTrace(join(CORPUS, `${name}.iorr`));
  try {
    return use(trace);
  } finally {
    trace.close();
  }
}

/** The trace with some values of a column changed: by row of its stream. */
function altered(
  trace: Trace,
  change: (rows: ReturnType<Trace['segments']> extends Generator<infer S> ? S : never) => void,
): Trace {
  return {
    header: trace.header,
    strings: trace.strings,
    health: trace.health,
    notes: trace.notes,
    eventCount: trace.eventCount,
    streamCounts: trace.streamCounts,
    *segments() {
      for (const segment of trace.segments()) {
        change(segment);
        yield segment;
      }
    },
  };
}

describe('fault records and responses against the requests of the hardware', () => {
  test('agree, all that the sources show', () => {
    const part = withTrace('vtd-pri-pasid-7.2-calls', (trace) => verifyPri(trace));
    expect(part?.parts).toEqual({
      'pri.record': { checked: 987, agreed: 987, diverged: 0 },
      'pri.cookie': { checked: 688, agreed: 688, diverged: 0 },
      'pri.response': { checked: 735, agreed: 735, diverged: 0 },
    });
    expect(part?.skipped).toEqual({
      'record of a page request, cut by the source': 18,
      'cookie of a page request group, cut by the source': 47,
    });
  });

  test('are a kind of verify', () => {
    const result = withTrace('vtd-pri-pasid-7.2-calls', (trace) => verifyTrace(trace, { only: ['pri'] }));
    expect(result).toMatchObject({ checked: 2410, diverged: 0, byKind: { pri: { checked: 2410 } } });
    expect(() => withTrace('vtd-pri-pasid-7.2', (trace) => verifyTrace(trace, { only: ['pri'] }))).toThrow(
      /pri: the trace has not both/,
    );
  });

  test('diverge where a request asks for more, or a device is told another code', () => {
    const part = withTrace('vtd-pri-pasid-7.2-calls', (trace) =>
      verifyPri(
        altered(trace, ({ rows, firstEvent }) => {
          if (firstEvent > 0) return;
          rows.prq.columns.access[5] = rows.prq.columns.access[5]! ^ 2;
          const { dialect, w0Lo } = rows.inv.columns;
          const answer = dialect.findIndex((_, i) => (w0Lo[i]! & 0xf) === 9);
          w0Lo[answer] = w0Lo[answer]! ^ 0x1000;
        }),
      ),
    );
    expect(part?.divergences.map(({ what }) => what).sort()).toEqual(['fault record', 'response code']);
    expect(part?.counts.diverged).toBe(2);
  });
});
