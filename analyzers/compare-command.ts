import { availableParallelism } from 'node:os';
import { ATC_PARAMETERS } from '../replay/atc/atc-parameters.ts';
import { ATC_POLICIES } from '../replay/atc/atc-policy.ts';
import { COST_PROFILES } from '../replay/costs/cost-profiles.ts';
import { DESIGNS } from '../replay/designs/designs.ts';
import { compareTrace } from '../replay/engine/compare.ts';
import type { CompareOptions } from '../replay/engine/compare.ts';
import { compareSensitivity } from '../replay/engine/sensitivity.ts';
import type { Sensitivity } from '../replay/engine/sensitivity.ts';
import type { CompareResult } from '../replay/results.ts';
import { applySettings } from '../replay/engine/compare-settings.ts';
import { callsHeader } from '../replay/engine/derived-trace.ts';
import type { Path } from '../replay/paths/path.ts';
import { PATHS, findPath } from '../replay/paths/paths.ts';
import type { CommandSpec } from '../traces/command.ts';
import { describeInput, makeEnvelope } from '../traces/envelope.ts';
import type { Envelope } from '../traces/envelope.ts';
import { IorrError } from '../traces/errors.ts';
import { toolVersion } from '../traces/tool.ts';
import { runComparison } from './comparison-frame.ts';
import { coreCounts } from './core-counts.ts';
import { DEFAULT_DESIGNS, askedDesigns } from './design-option.ts';
import { DIRTY_OPTIONS, compareDirtyCommand, refuseDirtyOptions } from './dirty-compare/compare-dirty-command.ts';
import { DRIVER_OPTION, driverOf } from './driver-option.ts';
import { PRI_OPTIONS, comparePriCommand } from './pri-compare/compare-pri-command.ts';
import { accessFlag, costsOption, hardwareOption, profileFlag, WHOSE_CACHES } from './profile-option.ts';
import { rendererNamed } from './report/index.ts';
import { sensitivityText } from './sensitivity-text.ts';
import { seedOption, wholeNumberOption } from './whole-number-option.ts';
import { COMPARE_KNOBS, DESIGN_WORDS, PATH_WORDS } from './model-words.ts';

const MOST_JOBS = 1024;

/** With what `--sensitivity` adds. */
type ComparedReport = Envelope<'compare', CompareResult & { readonly sensitivity?: Sensitivity }>;

/** The paths of `a,b,c`, each once. Throws `USAGE`. */
function pathsOf(text: string): readonly Path[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))].filter((name) => name !== '');
  if (names.length > 0) return names.map(findPath);
  throw new IorrError('USAGE', '--paths names none', { hint: 'for example --paths native,trapped,direct-queue' });
}

export const compareCommand: CommandSpec = {
  name: 'compare',
  summary: 'what if: lets invalidation designs handle the same maps, unmaps and accesses, and compares them',
  args: ['FILE'],
  options: [
    {
      flags: '--designs <names>',
      values: DESIGN_WORDS,
      list: true,
      orFile: true,
      description: `designs with commas, name@value with its first parameter, or files of your own (docs/designs.md): ${DESIGNS.map(({ name, summary }) => `${name} (${summary})`).join('; ')}`,
      default: DEFAULT_DESIGNS,
    },
    {
      flags: '--paths <names>',
      values: PATH_WORDS,
      list: true,
      description: `ways of the commands to the hardware, with commas; each design has a row on each: ${PATHS.map(({ name, summary }) => `${name} (${summary})`).join('; ')}`,
      default: 'native',
    },
    WHOSE_CACHES,
    profileFlag(
      `what things cost: auto (the emulator's where the IOMMU was emulated, else a generic server's), ${COST_PROFILES.map(({ name }) => name).join(', ')}, or a profile file`,
    ),
    accessFlag('accesses: recorded ones where the trace has them, else a model; without either they stay unknown'),
    {
      flags: '--atc-policy <name>',
      description: `of devices that leave ATC invalidations unanswered (--set atc.timeout-every=N): ${ATC_POLICIES.map(({ name, summary }) => `${name} (${summary})`).join('; ')}; default: as Linux does there`,
      choices: ATC_POLICIES.map(({ name }) => name),
    },
    {
      flags: '--cores <counts>',
      description: "how many cores the queues bear: the trace's submitters on 1,2,4,8..64 cores (a range doubles)",
    },
    { flags: '--seed <number>', description: 'of the access model and of devices that answer', default: '1' },
    {
      flags: '--set <name=value>',
      values: COMPARE_KNOBS,
      list: true,
      description:
        'a parameter of the costs, a design or the hardware: queue.wait=500, linux-lazy.timeout=5, sets=128; repeatable',
      repeatable: true,
    },
    {
      flags: '--sensitivity',
      description:
        'compare again with each assumed time at a quarter and at four times: what rests on it (24 runs or so)',
    },
    { flags: '--jobs <number>', description: 'workers; the result does not depend on it (default: one a core)' },
    DRIVER_OPTION,
    ...DIRTY_OPTIONS,
    ...PRI_OPTIONS,
    { flags: '--json', description: 'one JSON document on stdout' },
    { flags: '--markdown', description: 'a table for a pull request on stdout' },
    { flags: '--html <file>', description: 'also write one self-contained page with pictures' },
  ],
  examples: [
    { command: 'iorr compare run.iorr', does: 'strict against lazy, as a table' },
    {
      command: 'iorr compare run.iorr --designs linux-lazy,linux-strict --html report.html',
      does: 'and with pictures',
    },
    { command: 'iorr compare guest.iorr --access ring --json | jq .result.designs', does: 'a trace without DMA' },
    {
      command: 'iorr compare guest.iorr --designs linux-strict --paths native,trapped,virtio',
      does: "a guest's ways to the hardware",
    },
    { command: 'iorr compare run.iorr --set linux-lazy.timeout=1', does: 'flush queues that time out sooner' },
    {
      command: 'iorr compare run.iorr --designs linux-strict,batch-n@8,./mine.js',
      does: 'beside a design of your own',
    },
    {
      command: 'iorr compare vm.iorr --dirty ad-bits@4k,ad-bits@2m --threads 1,4 --link 25Gbit',
      does: 'what it costs to find out which pages devices wrote, and whether a migration converges',
    },
    {
      command: "iorr compare sva.iorr --pri 'depth=16,64,256;servers=1,4;service=recorded,published'",
      does: 'how deep the queue of page requests must be, and what a device loses while it waits',
    },
  ],
  async run(invocation) {
    const { args, options, io } = invocation;
    if (options['json'] === true && options['markdown'] === true) {
      throw new IorrError('USAGE', '--json and --markdown both want stdout', { hint: 'give one of them' });
    }
    if (options['dirty'] !== undefined && options['pri'] !== undefined) {
      throw new IorrError('USAGE', '--dirty and --pri are different questions', { hint: 'ask them one at a time' });
    }
    if (options['dirty'] !== undefined) return compareDirtyCommand(invocation);
    refuseDirtyOptions(options);
    if (options['pri'] !== undefined) return comparePriCommand(invocation);
    const file = args[0];
    if (file === undefined) throw new IorrError('USAGE', 'a trace expected', { hint: 'iorr compare run.iorr' });
    const asked = await askedDesigns(String(options['designs']));
    const paths = pathsOf(String(options['paths']));
    const seed = seedOption(options);
    const jobs = wholeNumberOption(options, 'jobs', 1, MOST_JOBS, availableParallelism());
    const cores = typeof options['cores'] === 'string' ? coreCounts(options['cores']) : [];
    const settings = Array.isArray(options['set']) ? options['set'].map(String) : [];
    const atcPolicy = typeof options['atcPolicy'] === 'string' ? options['atcPolicy'] : undefined;
    const access = typeof options['access'] === 'string' ? options['access'] : undefined;
    const wanted = options['sensitivity'] === true;
    const style = { columns: io.columns, colour: io.colour };
    const rendered = (name: string) => (report: ComparedReport) => rendererNamed(name).render(report, style);
    return runComparison<ComparedReport>(file, invocation, {
      async run(trace, progress, signal) {
        const named = hardwareOption(String(options['hardware']), callsHeader(trace));
        const costs = costsOption(String(options['profile']), trace.header);
        const { hardware, profile, parameters } = applySettings(settings, named, costs, [
          ...asked.designs,
          ...paths,
          { parameters: ATC_PARAMETERS },
        ]);
        // other costs are asked for afterwards
        const share = wanted ? 0.5 : 1;
        const compare: CompareOptions = {
          designs: asked.names,
          modules: asked.modules,
          paths: paths.map((path) => path.name),
          hardware,
          profile,
          parameters,
          seed,
          cores,
          jobs,
          ...driverOf(options),
          signal,
          progress: (events) => progress((share * events) / trace.eventCount),
          ...(access === undefined ? {} : { access }),
          ...(atcPolicy === undefined ? {} : { atcPolicy }),
        };
        const result = await compareTrace(trace, compare);
        if (result === undefined || signal.aborted) return undefined;
        const sensitivity = wanted
          ? await compareSensitivity(trace, compare, result, (done, all) =>
              progress(share + ((1 - share) * done) / all),
            )
          : undefined;
        if (wanted && sensitivity === undefined) return undefined;
        return makeEnvelope('compare', {
          version: toolVersion(),
          input: [describeInput(file, trace, trace.bytes)],
          options: {
            designs: asked.names,
            paths: paths.map((path) => path.name),
            hardware: hardware.name,
            profile: profile.name,
            access: result.access,
            seed,
            ...(atcPolicy === undefined ? {} : { atcPolicy }),
            set: settings,
            ...(cores.length === 0 ? {} : { cores: cores.map(String) }),
            ...(wanted ? { sensitivity: true } : {}),
            ...driverOf(options),
          },
          health: trace.health,
          result: sensitivity === undefined ? result : { ...result, sensitivity },
        });
      },
      html: rendered('html'),
      markdown: rendered('markdown'),
      tables: (report) => {
        const { sensitivity } = report.result;
        return rendered('terminal')(report) + (sensitivity === undefined ? '' : sensitivityText(sensitivity));
      },
    });
  },
};
