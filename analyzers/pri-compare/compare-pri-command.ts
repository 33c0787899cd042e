import { comparePri } from '../../replay/faults/compare-pri.ts';
import type { PriResult } from '../../replay/faults/compare-pri.ts';
import { PAGE_REQUEST_QUEUES, queueOfIommu } from '../../replay/faults/queues/page-request-queues.ts';
import { SERVICE_PARAMETERS } from '../../replay/faults/service/service-parameters.ts';
import { applySettings } from '../../replay/engine/compare-settings.ts';
import type { CommandInvocation, CommandOption } from '../../traces/command.ts';
import { describeInput, makeEnvelope } from '../../traces/envelope.ts';
import type { Envelope } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { toolVersion } from '../../traces/tool.ts';
import { runComparison } from '../comparison-frame.ts';
import { costsOption, hardwareOption } from '../profile-option.ts';
import { priCompareHtml } from './pri-compare-html.ts';
import { priMarkdown } from './pri-markdown.ts';
import { priTables } from './pri-tables.ts';
import { priDesigns } from './pri-what-if.ts';
import { seedOption } from '../whole-number-option.ts';

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
export async function comparePriCommand(invocation: CommandInvocation): Promise<number> {
  const { args, options } = invocation;
  const file = args[0];
  if (file === undefined) {
    throw new IorrError('USAGE', 'a trace expected', { hint: "iorr compare run.iorr --pri 'servers=1,4'" });
  }
  const text = (name: string, otherwise: string): string => {
    const given = options[name];
    return typeof given === 'string' ? given : otherwise;
  };
  const seed = seedOption(options);
  const settings = Array.isArray(options['set']) ? options['set'].map(String) : [];
  return runComparison<PriReport>(file, invocation, {
    async run(trace, progress, signal) {
      const designs = priDesigns(text('pri', ''), queueOfIommu(trace.header.host.iommu));
      const { profile, parameters } = applySettings(
        settings,
        hardwareOption(text('hardware', 'auto'), trace.header),
        costsOption(text('profile', 'auto'), trace.header),
        [{ parameters: SERVICE_PARAMETERS }],
      );
      const result = await comparePri(trace, { designs, profile, parameters, seed, progress, signal });
      if (result === undefined) return undefined;
      return makeEnvelope('compare', {
        version: toolVersion(),
        input: [describeInput(file, trace, trace.bytes)],
        options: { pri: text('pri', ''), profile: profile.name, seed, set: settings },
        health: trace.health,
        result: { pri: result },
      });
    },
    html: priCompareHtml,
    markdown: priMarkdown,
    tables: priTables,
  });
}
