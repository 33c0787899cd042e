import { callsHeader } from '../replay/engine/derived-trace.ts';
import type { SweepQuestion } from '../replay/sweep/sweep-point.ts';
import type { CommandInvocation, CommandSpec } from '../traces/command.ts';
import { INTERRUPTED } from '../traces/command.ts';
import { describeInput, makeEnvelope } from '../traces/envelope.ts';
import { IorrError } from '../traces/errors.ts';
import { openTrace } from '../traces/file.ts';
import { toJson } from '../traces/plain-json.ts';
import { toolVersion } from '../traces/tool.ts';
import { DRIVER_OPTION, driverOf } from './driver-option.ts';
import { parseDuration } from './duration.ts';
import { OutputFile } from './output-file.ts';
import { parseGoal } from './plan/goal.ts';
import { planHtml } from './plan/plan-html.ts';
import { PLAN_METRICS } from './plan/plan-metrics.ts';
import { PLAN_PARAMETERS, TENANTS, planAxes } from './plan/plan-parameters.ts';
import { planText, settingsText } from './plan/plan-text.ts';
import { plannedGoal } from './plan/plan.ts';
import { planInThread } from './plan/plan-thread.ts';
import type { PlannedSetting } from './plan/plan-result.ts';
import { accessFlag, costsOption, hardwareFlag, hardwareOption, profileFlag } from './profile-option.ts';
import { CLONE_OPTIONS, clonesOption, tenantCounts } from './tenants-option.ts';
import { seedOption } from './whole-number-option.ts';
import { COMPARE_KNOBS, DESIGN_WORDS, PATH_WORDS } from './model-words.ts';

/** No setting meets the goals. */
const UNMET = 3;
const MOST_FILES = 64;

type Options = CommandInvocation['options'];

function textOf(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

function listOf(options: Options, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value.map(String) : [];
}

export const planCommand: CommandSpec = {
  name: 'plan',
  summary: 'finds the smallest hardware that meets goals, and how many tenants it bears',
  args: ['FILE...'],
  options: [
    {
      flags: '--goal <goal>',
      description: `what is to hold, as 'hit rate >= 0.99', 'p99 submit < 10 us', 'no PRQ overflow in 1e9'; repeatable. Metrics: ${PLAN_METRICS.map(({ name, summary }) => `${name} (${summary})`).join('; ')}`,
      repeatable: true,
    },
    {
      flags: '--vary <name=values>',
      values: [...PLAN_PARAMETERS.map(({ name }) => `${name}=`), ...COMPARE_KNOBS],
      description: `values of a parameter with commas, or doubled from one to another; repeatable; default: what the first goal depends on. What --set takes, and ${PLAN_PARAMETERS.map(({ name, summary }) => `${name} (${summary})`).join('; ')}`,
      repeatable: true,
    },
    {
      flags: '--set <name=value>',
      values: COMPARE_KNOBS,
      list: true,
      description: 'a parameter of all settings; repeatable',
      repeatable: true,
    },
    {
      flags: '--tenants <list>',
      description:
        'clones of the trace behind one IOMMU, 1,2,4,...,1024: an answer for each, and until when it holds; without --vary how many the hardware bears. Several files: tenants play them in turn',
    },
    ...CLONE_OPTIONS,
    {
      flags: '--design <name>',
      values: DESIGN_WORDS,
      description: 'commands of a design in the place of the recorded ones',
    },
    { flags: '--path <name>', values: PATH_WORDS, description: 'way of its commands to the hardware' },
    {
      flags: '--downtime <time>',
      description:
        'most that a migration may stop, which it goes on copying for (default: the recorded one, else 300ms)',
    },
    hardwareFlag(),
    profileFlag(),
    accessFlag(),
    { flags: '--seed <number>', description: 'of offsets of tenants, access models and simulations', default: '1' },
    DRIVER_OPTION,
    { flags: '--html <file>', description: 'also write one self-contained page with pictures' },
    { flags: '--json', description: 'one JSON document on stdout' },
  ],
  examples: [
    {
      command: "iorr plan run.iorr --hardware vtd-64x4 --goal 'hit rate >= 0.9' --vary sets=1..1024 --vary ways=1..16",
      does: 'the smallest IOTLB, from one pass',
    },
    {
      command: "iorr plan run.iorr --goal 'p99 submit < 10 us' --design linux-strict --vary cores=1..64",
      does: 'how many cores the invalidation queue bears',
    },
    {
      command:
        "iorr plan run.iorr --hardware vtd-64x4 --goal 'hit rate >= 0.8' --tenants 1,2,4,...,64 --html tenants.html",
      does: 'how many tenants share an IOTLB, and how fairly',
    },
  ],
  async run({ args, options, io }) {
    const [file] = args;
    if (file === undefined) {
      throw new IorrError('USAGE', 'a trace expected', { hint: "iorr plan run.iorr --goal 'hit rate >= 0.99'" });
    }
    if (args.length > MOST_FILES) throw new IorrError('USAGE', `${args.length} traces, ${MOST_FILES} are the most`);
    if (args.includes('-')) {
      throw new IorrError('USAGE', 'a plan reads its trace more than once: files expected, not stdin');
    }
    const texts = listOf(options, 'goal');
    if (texts.length === 0) {
      throw new IorrError('USAGE', 'a goal expected', {
        hint: "--goal 'hit rate >= 0.99'; iorr plan --help lists metrics",
      });
    }
    const goals = texts.map((text) => parseGoal(text));
    const asked = textOf(options, 'tenants');
    // several traces are as many tenants, unless more are asked for
    const tenants = asked === undefined ? [args.length] : tenantCounts(asked);
    const spread = textOf(options, 'spread');
    const clones = clonesOption(options);
    const seed = seedOption(options);
    const downtime = textOf(options, 'downtime');
    const page = textOf(options, 'html');
    const design = textOf(options, 'design');
    const path = textOf(options, 'path');
    const access = textOf(options, 'access');
    const settings = listOf(options, 'set');
    const traces = args.map((name) => openTrace(name));
    const progress = io.progress('planning', 0);
    const output = page === undefined ? undefined : new OutputFile(page);
    try {
      const [first] = traces;
      if (first === undefined) throw new RangeError('there is a trace');
      const question: SweepQuestion = {
        hardware: hardwareOption(String(options['hardware']), callsHeader(first)),
        profile: costsOption(String(options['profile']), first.header),
        settings,
        counts: 'iotlb',
        seed,
        ...driverOf(options),
        ...(access === undefined ? {} : { access }),
      };
      const given = listOf(options, 'vary');
      const usual = goals.map(({ metric }) => metric.vary(question.hardware)).find((list) => list !== undefined);
      const lists =
        given.length > 0 ? given : asked === undefined ? [usual ?? ''] : [`${TENANTS}=${tenants.join(',')}`];
      if (lists[0] === '') {
        throw new IorrError('USAGE', `nothing to vary: what ${goals[0]?.metric.name} depends on is to be named`, {
          hint: 'for example --vary design=linux-lazy,linux-strict or --vary fq.timeout=1,10,100',
        });
      }
      const axes = planAxes(lists, question.hardware);
      const known: PlannedSetting[] = [];
      const order = {
        files: args,
        question,
        goals: texts,
        axes,
        tenants,
        clones: { seed, ...clones },
        downtimeLimitNs: downtime === undefined ? null : parseDuration(downtime, '--downtime'),
        ...(design === undefined ? {} : { design }),
        ...(path === undefined ? {} : { path }),
      };
      const result = await planInThread(order, io.signal, (setting) => {
        known.push(setting);
        progress.update(known.length);
      });
      progress.stop();
      if (result === undefined) {
        io.err(settingsText(goals.map(plannedGoal), known));
        return INTERRUPTED;
      }
      const { health } = first;
      if (output !== undefined) {
        output.writeWhole(planHtml(result, { file: args.join(' '), version: toolVersion(), health }));
        io.err(`wrote ${output.path}\n`);
      }
      if (options['json'] === true) {
        io.out(
          toJson(
            makeEnvelope('plan', {
              version: toolVersion(),
              input: traces.map((trace, i) => describeInput(args[i] ?? '', trace, trace.bytes)),
              options: {
                goal: texts,
                vary: lists,
                set: settings,
                tenants: tenants.map(String),
                spread: spread ?? null,
                addresses: String(options['addresses']),
                design: design ?? null,
                path: path ?? null,
                downtime: downtime ?? null,
                hardware: question.hardware.name,
                profile: question.profile.name,
                access: access ?? null,
                seed,
                ...driverOf(options),
              },
              health,
              result,
            }),
          ),
        );
      } else io.out(planText(args.join(' '), result));
      return result.answers.every(({ chosen }) => chosen !== null) ? 0 : UNMET;
    } finally {
      progress.stop();
      for (const trace of traces) trace.close();
    }
  },
};
