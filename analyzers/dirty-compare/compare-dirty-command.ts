import { compareDirty } from '../../replay/dirty/compare-dirty.ts';
import { DIRTY_METHODS } from '../../replay/dirty/dirty-methods.ts';
import { DIRTY_PARAMETERS } from '../../replay/dirty/dirty-parameters.ts';
import type { DirtyResult } from '../../replay/dirty/dirty-result.ts';
import { HARVEST_TABLES } from '../../replay/dirty/harvest-tables.ts';
import { applySettings } from '../../replay/engine/compare-settings.ts';
import type { CommandInvocation, CommandOption } from '../../traces/command.ts';
import { describeInput, makeEnvelope } from '../../traces/envelope.ts';
import type { Envelope } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { toolVersion } from '../../traces/tool.ts';
import { parseDuration } from '../duration.ts';
import { parseBytes, parseLink, parseThreads } from '../link-rate.ts';
import { runComparison } from '../comparison-frame.ts';
import { costsOption, hardwareOption } from '../profile-option.ts';
import { dirtyMarkdown } from './dirty-markdown.ts';
import { dirtyMethodsHtml } from './dirty-methods-html.ts';
import { dirtyTables } from './dirty-tables.ts';
import { seedOption } from '../whole-number-option.ts';

const DEFAULTS = {
  threads: '1',
  link: '',
  downtime: '',
  tables: 'auto',
  hardware: 'auto',
  profile: 'auto',
  plan: '',
} as const;

/** The document of `compare --dirty`. */
export type DirtyReport = Envelope<'compare', { readonly dirty: DirtyResult }>;

/** Options that only `--dirty` has; without it they are refused. */
export const DIRTY_OPTIONS: readonly CommandOption[] = [
  {
    flags: '--dirty <names>',
    values: DIRTY_METHODS.map(({ name }) => name),
    list: true,
    description: `methods of dirty tracking in the place of designs, with commas, name@value: ${DIRTY_METHODS.map(({ name, summary }) => `${name} (${summary})`).join('; ')}`,
  },
  {
    flags: '--threads <counts>',
    description: `with --dirty: harvest threads, as 1,2,4 (default: ${DEFAULTS.threads})`,
  },
  {
    flags: '--tables <name>',
    values: ['auto', ...HARVEST_TABLES.map(({ name }) => name)],
    description: `with --dirty: page-table format: auto (the hardware's), ${HARVEST_TABLES.map(({ name }) => name).join(', ')}`,
  },
  {
    flags: '--link <rate>',
    description: `with --dirty: rate of a migration's link (default: the recorded one, else 10Gbit)`,
  },
  {
    flags: '--downtime <time>',
    description: `with --dirty: most that a migration may stop (default: the recorded one, else 300ms)`,
  },
  { flags: '--plan <size>', description: 'with --dirty: also the cost of one harvest of so much memory, as 1TiB' },
];

/** Refuses options of methods where designs are compared. */
export function refuseDirtyOptions(options: CommandInvocation['options']): void {
  const given = ['threads', 'tables', 'link', 'downtime', 'plan'].filter((name) => options[name] !== undefined);
  if (given.length === 0) return;
  throw new IorrError('USAGE', `--${given[0]} belongs to --dirty`, {
    hint: 'for example --dirty ad-bits@4k,ad-bits@2m',
  });
}

/** `iorr compare FILE --dirty a,b,c`. */
export async function compareDirtyCommand(invocation: CommandInvocation): Promise<number> {
  const { args, options } = invocation;
  const file = args[0];
  if (file === undefined)
    throw new IorrError('USAGE', 'a trace expected', { hint: 'iorr compare run.iorr --dirty ad-bits' });
  const text = (name: keyof typeof DEFAULTS): string => {
    const given = options[name];
    return typeof given === 'string' ? given : DEFAULTS[name];
  };
  const threads = parseThreads(text('threads'), '--threads');
  const linkBytesPerSecond = text('link') === '' ? null : parseLink(text('link'), '--link');
  const downtimeLimitNs = text('downtime') === '' ? null : parseDuration(text('downtime'), '--downtime');
  const planBytes = text('plan') === '' ? 0 : parseBytes(text('plan'), '--plan');
  const seed = seedOption(options);
  const settings = Array.isArray(options['set']) ? options['set'].map(String) : [];
  return runComparison<DirtyReport>(file, invocation, {
    async run(trace, progress, signal) {
      const { hardware, profile, parameters } = applySettings(
        settings,
        hardwareOption(text('hardware'), trace.header),
        costsOption(text('profile'), trace.header),
        [{ parameters: DIRTY_PARAMETERS }],
      );
      const result = await compareDirty(trace, {
        methods: String(options['dirty']),
        tables: text('tables'),
        threads,
        hardware,
        profile,
        linkBytesPerSecond,
        downtimeLimitNs,
        planBytes,
        parameters,
        seed,
        progress,
        signal,
      });
      if (result === undefined) return undefined;
      return makeEnvelope('compare', {
        version: toolVersion(),
        input: [describeInput(file, trace, trace.bytes)],
        options: {
          dirty: result.methods.map((row) => row.name),
          threads: threads.map(String),
          tables: result.tables,
          link: linkBytesPerSecond === null ? 'auto' : text('link'),
          downtime: downtimeLimitNs === null ? 'auto' : text('downtime'),
          plan: planBytes === 0 ? null : planBytes,
          hardware: hardware.name,
          profile: profile.name,
          seed,
          set: settings,
        },
        health: trace.health,
        result: { dirty: result },
      });
    },
    html: dirtyMethodsHtml,
    markdown: dirtyMarkdown,
    tables: dirtyTables,
  });
}
