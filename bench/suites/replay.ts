import { replayTrace } from '../../replay/engine/replay.ts';
import { HARDWARE } from '../../replay/hardware/profiles.ts';
import { simulatedTrace } from '../simulated-trace.ts';
import type { BenchCase, BenchSuite } from '../suite.ts';

/** Replays from memory: decoding is a suite of its own. */
export const replay: BenchSuite = {
  name: 'replay',
  summary: 'events through the hardware model, as recorded',
  prepare() {
    const traces = [
      ['packet-nic', simulatedTrace('packet-nic', ['events=192Ki', 'devices=4'])],
      ['dma', simulatedTrace('dma', ['events=256Ki', 'pages=512'])],
      ['zipf', simulatedTrace('zipf', ['events=192Ki', 'pages=64Ki'])],
    ] as const;
    return traces.flatMap(([workload, trace]) =>
      HARDWARE.filter((hardware) => !hardware.name.endsWith('7.2')).map(
        (hardware): BenchCase => ({
          name: `${workload} on ${hardware.name}`,
          amount: trace.eventCount,
          unit: 'events',
          run: () => replayTrace(trace, { hardware }).commands,
        }),
      ),
    );
  },
};
