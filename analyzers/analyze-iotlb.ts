import { costProfile } from '../replay/costs/cost-profiles.ts';
import { pageSample } from '../replay/distances/page-sample.ts';
import { applySettings } from '../replay/engine/compare-settings.ts';
import { callsHeader } from '../replay/engine/derived-trace.ts';
import { parameterOf } from '../replay/hardware/profile.ts';
import { IorrError } from '../traces/errors.ts';
import type { Analysis } from './analysis.ts';
import { analyzeIotlb } from './iotlb/iotlb.ts';
import { iotlbHtml } from './iotlb/iotlb-html.ts';
import { iotlbText } from './iotlb/iotlb-text.ts';
import { hardwareOption } from './profile-option.ts';

/** Seed of samples: the same pages are in each. */
const SEED = 1;

/** What every size of the IOTLB would miss, and why, by one replay. */
export const iotlb: Analysis = {
  name: 'iotlb',
  samples: true,
  summary: 'misses of every size and associativity of the IOTLB from one pass, by cause, device and domain; its knee',
  gates: { misses: 'chosen.iotlb.misses', conflict: 'chosen.iotlb.causes.conflict', knee: 'knee.entries' },
  run(trace, { file, at, driver, hardware, settings, sample }) {
    if (at !== undefined) {
      throw new IorrError('USAGE', 'iotlb is a question about a whole trace: it takes no --at', {
        hint: `iorr analyze iotlb ${file}`,
      });
    }
    if (trace.streamCounts.dma === 0) {
      throw new IorrError('STREAM_MISSING', 'the trace has no accesses: nothing looks anything up in an IOTLB', {
        place: { file },
        hint: 'join the log of the emulator that shows DMA: iorr import kernel.txt qemu.log -o run.iorr',
      });
    }
    const named = hardwareOption(hardware, callsHeader(trace));
    const applied = applySettings(settings, named, costProfile('auto', trace.header), []);
    const options = driver === undefined ? {} : { driver };
    if (sample !== undefined && parameterOf(applied.hardware, 'device-tlb.entries') > 0) {
      throw new IorrError('USAGE', '--sample: caches of devices cannot be sampled', {
        hint: '--set device-tlb.entries=0, or leave --sample out',
      });
    }
    const result = analyzeIotlb(trace, {
      ...options,
      hardware: applied.hardware,
      ...(sample === undefined ? {} : { sample: { pages: pageSample(sample, SEED), seed: SEED } }),
    });
    return { result, text: iotlbText(file, result), html: (page) => iotlbHtml(result, page) };
  },
};
