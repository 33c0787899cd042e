import { IorrError } from '../traces/errors.ts';
import { withSettings } from '../replay/hardware/profiles.ts';
import { callsHeader } from '../replay/engine/derived-trace.ts';
import { analyzeSafety } from '../replay/engine/safety.ts';
import type { Analysis, AnalysisPage } from './analysis.ts';
import { hardwareOption } from './profile-option.ts';
import { chapterPage } from './report/chapter-page.ts';
import { safetyChapter } from './safety-html.ts';
import { safetyText } from './safety-text.ts';

/** Which translations outlived their mapping, and which commands were missing, late or for nothing. */
export const safety: Analysis = {
  name: 'safety',
  summary: 'stale translations, exposure, missing, late and wasted invalidations, each with its event',
  gates: {
    stale: 'stale.translations',
    missing: 'findingsByKind.missing',
    late: 'findingsByKind.late',
    redundant: 'findingsByKind.redundant',
    exposure: 'exposure.pageSeconds',
  },
  run(trace, { file, hardware, settings, at, driver }) {
    if (at !== undefined) {
      throw new IorrError('USAGE', 'safety is a question about a whole trace: it takes no --at', {
        hint: `iorr analyze safety ${file}`,
      });
    }
    const { unmap, ioctl } = trace.streamCounts;
    if (unmap === 0 && ioctl === 0) {
      throw new IorrError('STREAM_MISSING', 'the trace has no unmaps: nothing in it can be stale', {
        place: { file },
        hint: 'join the trace of the kernel that unmaps: iorr import trace.txt qemu.log -o run.iorr',
      });
    }
    const profile = withSettings(hardwareOption(hardware, callsHeader(trace)), settings);
    const result = analyzeSafety(trace, { hardware: profile, ...(driver === undefined ? {} : { driver }) });
    const html = (page: AnalysisPage): string => chapterPage(safetyChapter(result, page.file), page);
    return { result, text: safetyText(file, result), html };
  },
};
