import { costProfile } from '../replay/costs/cost-profiles.ts';
import { applySettings } from '../replay/engine/compare-settings.ts';
import { callsHeader } from '../replay/engine/derived-trace.ts';
import { hardwareProfile } from '../replay/hardware/profiles.ts';
import { IorrError } from '../traces/errors.ts';
import type { Analysis } from './analysis.ts';
import { analyzeBatching } from './batching/batching.ts';
import { batchingHtml } from './batching/batching-html.ts';
import { batchingText } from './batching/batching-text.ts';

/** How invalidations were batched, and what larger batches would have saved and exposed. */
export const batching: Analysis = {
  name: 'batching',
  summary: 'commands of a submit, submits of an unmap, contiguity; batches of 1 to 512 unmaps, replayed',
  gates: { submitsPerUnmap: 'submitsPerUnmap', commands: 'commands' },
  async run(trace, { file, hardware, settings, at, driver }) {
    if (at !== undefined) {
      throw new IorrError('USAGE', 'batching is a question about a whole trace: it takes no --at', {
        hint: `iorr analyze batching ${file}`,
      });
    }
    const named = hardwareProfile(hardware, callsHeader(trace));
    const applied = applySettings(settings, named, costProfile('auto', trace.header), []);
    const result = await analyzeBatching(trace, {
      hardware: applied.hardware,
      profile: applied.profile,
      ...(driver === undefined ? {} : { driver }),
    });
    return { result, text: batchingText(file, result), html: (page) => batchingHtml(result, page) };
  },
};
