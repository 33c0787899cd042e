import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeInput, makeEnvelope } from '../../../traces/envelope.ts';
import { openTrace } from '../../../traces/file.ts';
import { toJson } from '../../../traces/plain-json.ts';
import { ANALYSES } from '../../analyses.ts';
import { chapterPage } from '../chapter-page.ts';
import { parseResultDocument } from './result-document.ts';

const CORPUS = join(import.meta.dirname, '../../../traces/corpus');

test.each([
  ['batching', 'vtd-vfio-7.2.iorr'],
  ['dirty', 'nested-qemu-vfio-7.2.iorr'],
  ['ioctl', 'vtd-vfio-7.2-ioctl.iorr'],
  ['iotlb', 'vtd-vfio-7.2.iorr'],
  ['latency', 'vtd-pri-pasid-7.2.iorr'],
  ['pri', 'vtd-pri-pasid-7.2-calls.iorr'],
  ['safety', 'vtd-pri-pasid-7.2.iorr'],
])('the page of analyze %s is the same from its JSON', async (name, file) => {
  const analysis = ANALYSES.find((one) => one.name === name);
  const trace = openTrace(join(CORPUS, file));
  try {
    const outcome = await analysis?.run(trace, { file, at: undefined, hardware: 'auto', settings: [] });
    const { health } = trace;
    const page = outcome?.html?.({ file, version: '1', health });
    const input = [describeInput(file, trace)];
    const json = toJson(makeEnvelope(`analyze ${name}`, { version: '1', input, health, result: outcome?.result }));
    const { chapter } = parseResultDocument(json, 'result.json');
    expect(chapter.parts.length).toBeGreaterThan(0);
    expect(chapterPage(chapter, { version: '1', health }) === page).toBe(true);
  } finally {
    trace.close();
  }
});
