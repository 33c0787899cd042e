import { costProfile } from '../replay/costs/cost-profiles.ts';
import { DIRTY_PARAMETERS } from '../replay/dirty/dirty-parameters.ts';
import { applySettings } from '../replay/engine/compare-settings.ts';
import { callsHeader } from '../replay/engine/derived-trace.ts';
import { hardwareProfile } from '../replay/hardware/profiles.ts';
import { IorrError } from '../traces/errors.ts';
import type { Analysis } from './analysis.ts';
import { analyzeDirty } from './dirty/dirty.ts';
import { dirtyHtml } from './dirty/dirty-html.ts';
import { dirtyText } from './dirty/dirty-text.ts';

/** Which memory is written when, what harvests report and cost, and what they lost. */
export const dirty: Analysis = {
  name: 'dirty',
  summary: 'dirty rate, working set, hot pages, over-reporting by leaf size, what harvests cost and lost; a migration',
  gates: {
    lost: 'lost.bytes',
    defect: 'lost.defectBytes',
    rate: 'writes.rate.peakBytesPerSecond',
  },
  run(trace, { file, at, driver, hardware, settings }) {
    if (at !== undefined) {
      throw new IorrError('USAGE', 'dirty is a question about a whole trace: it takes no --at', {
        hint: `iorr analyze dirty ${file}`,
      });
    }
    const { dma, dirty: rows, ioctl } = trace.streamCounts;
    if (dma + rows + ioctl === 0) {
      throw new IorrError('STREAM_MISSING', 'the trace has no writes of devices, no dirty tracking and no ioctls', {
        place: { file },
        hint: "import QEMU's log with its DMA or memory_notdirty events, or the ioctls of a program",
      });
    }
    const named = hardwareProfile(hardware, callsHeader(trace));
    const costs = costProfile('auto', trace.header);
    const { profile, parameters } = applySettings(settings, named, costs, [{ parameters: DIRTY_PARAMETERS }]);
    const options = driver === undefined ? {} : { driver };
    const result = analyzeDirty(trace, { ...options, profile, parameters });
    if (result.source === null && result.harvests === null && result.migration === null) {
      throw new IorrError('STREAM_MISSING', 'nothing in the trace was written, harvested or migrated', {
        place: { file },
        hint: 'iorr info tells what it has',
      });
    }
    return { result, text: dirtyText(file, result), html: (page) => dirtyHtml(result, page) };
  },
};
