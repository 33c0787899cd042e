import { comparePri } from '../../replay/faults/compare-pri.ts';
import type { PriResult } from '../../replay/faults/compare-pri.ts';
import { PAGE_REQUEST_QUEUES, queueOfIommu } from '../../replay/faults/queues/page-request-queues.ts';
import { SERVICE_PARAMETERS } from '../../replay/faults/service/service-parameters.ts';
import { applySettings } from '../../replay/engine/compare-settings.ts';
import type { CommandInvocation, CommandOption } from '../../traces/command.ts';
import { describeInput, makeEnvelope } from '../../traces/envelope.ts';
import type { Envelope } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { openTrace } from '../../traces/file.ts';
import { toJson } from '../../traces/plain-json.ts';
import { toolVersion } from '../../traces/tool.ts';
import { closeOutput, openOutput, writeAll } from '../output-file.ts';
import type { Output } from '../output-file.ts';
import { costsOption, hardwareOption } from '../profile-option.ts';
import { priCompareHtml } from './pri-compare-html.ts';
import { priMarkdown } from './pri-markdown.ts';
import { priTables } from './pri-tables.ts';
import { priDesigns } from './pri-what-if.ts';

const INTERRUPTED = 130;
const QUEUES = PAGE_REQUEST_QUEUES.map(({ name, summary }) => `${name} (${summary})`).join('; ');

/** The document of `compare --pri`. */
export type PriReport = Envelope<'compare', { readonly pri: PriResult }>;

/** Options that only `--pri` has. */
export const PRI_OPTIONS: readonly CommandOption[] = [
  {
    flags: '--pri <what-if>',
    description:
      `page requests in the place of designs: lists by name, every combination a row, as 'depth=256,2048;servers=1,4'. Names: queue (${QUEUES}), ` +
      'depth, outstanding (requests of a device), servers, service (recorded, fitted, resampled, published, published:80x, fixed:20us, exp:700us, lognormal:20us:0.8, gamma:20us:4), ' +
      'arrivals (recorded, poisson, fixed:50000, closed:8), speed (of recorded times), batch (responses of a submission), repair (4k, 64k, 2m), prefetch (pages); default: as it is',
  },
];

/** `iorr compare FILE --pri ...`. */
export async function comparePriCommand({ args, options, io }: CommandInvocation): Promise<number> {
  const file = args[0];
  if (file === undefined) {
    throw new IorrError('USAGE', 'a trace expected', { hint: "iorr compare run.iorr --pri 'servers=1,4'" });
  }
  const text = (name: string, otherwise: string): string => {
    const given = options[name];
    return typeof given === 'string' ? given : otherwise;
  };
  const seed = seedOf(text('seed', '1'));
  const settings = Array.isArray(options['set']) ? options['set'].map(String) : [];
  let output: Output | undefined;
  const trace = openTrace(file);
  const progress = io.progress('comparing', 1);
  try {
    const designs = priDesigns(text('pri', ''), queueOfIommu(trace.header.host.iommu));
    output = typeof options['html'] === 'string' ? openOutput(options['html']) : undefined;
    const { profile, parameters } = applySettings(
      settings,
      hardwareOption(text('hardware', 'auto'), trace.header),
      costsOption(text('profile', 'auto'), trace.header),
      [{ parameters: SERVICE_PARAMETERS }],
    );
    const result = await comparePri(trace, {
      designs,
      profile,
      parameters,
      seed,
      progress: (share) => progress.update(share),
      signal: io.signal,
    });
    progress.stop();
    if (result === undefined || io.signal.aborted) return INTERRUPTED;
    const report: PriReport = makeEnvelope('compare', {
      version: toolVersion(),
      input: [describeInput(file, trace, trace.bytes)],
      options: { pri: text('pri', ''), profile: profile.name, seed, set: settings },
      health: trace.health,
      result: { pri: result },
    });
    if (output !== undefined) {
      writeAll(output, priCompareHtml(report));
      io.err(`wrote ${output.path}\n`);
    }
    if (options['json'] === true) io.out(toJson(report));
    else if (options['markdown'] === true) io.out(priMarkdown(report));
    else io.out(priTables(report, { columns: io.columns, colour: io.colour }));
    return 0;
  } finally {
    if (output !== undefined) closeOutput(output);
    progress.stop();
    trace.close();
  }
}

function seedOf(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seed)) return seed;
  throw new IorrError('USAGE', `--seed ${text}: a whole number from 0 to ${Number.MAX_SAFE_INTEGER} expected`);
}
