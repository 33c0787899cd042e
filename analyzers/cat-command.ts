import { IorrError } from '../traces/errors.ts';
import { deriveIntents } from '../replay/engine/derived-trace.ts';
import type { CommandSpec } from '../traces/command.ts';
import { plainEvents } from '../traces/event.ts';
import { openTrace } from '../traces/file.ts';
import type { Trace } from '../traces/trace.ts';
import { OBJECT_FLAGS, matches, parseFilter, planOf, timeFlags } from './event-filter.ts';
import { eventJson, eventText } from './event-text.ts';

const WRITE_BYTES = 1 << 16;

export const catCommand: CommandSpec = {
  name: 'cat',
  summary: 'prints the events of a trace, one a line',
  args: ['FILE'],
  options: [
    {
      flags: '--format <form>',
      description: 'text for people, ndjson for programs',
      choices: ['text', 'ndjson'],
      default: 'text',
    },
    { flags: '--json', description: 'the same as --format ndjson' },
    ...timeFlags(),
    { flags: '--from-event <n>', description: 'only this event and later ones, by the number that findings name' },
    ...OBJECT_FLAGS,
    {
      flags: '--derived',
      description: "what the trace's ioctls did to page tables and caches, in their place: maps, unmaps, commands",
    },
    { flags: '--limit <n>', description: 'stop after so many lines' },
  ],
  examples: [
    { command: 'iorr cat run.iorr --limit 20', does: 'the first events' },
    { command: 'iorr cat run.iorr --stream inv --device 0000:00:04.0', does: 'the commands that name one device' },
    { command: 'iorr cat run.iorr --format ndjson --from 1.5s --to 1.6s | jq .stream', does: 'a window, for a script' },
  ],
  async run({ args, options, io }) {
    const file = args[0];
    if (file === undefined) throw new IorrError('USAGE', 'a trace expected', { hint: 'iorr cat run.iorr' });
    const filter = parseFilter(options);
    const limit = options['limit'] === undefined ? Number.POSITIVE_INFINITY : Number(options['limit']);
    if (!(limit >= 0))
      throw new IorrError('USAGE', `--limit: a number expected, found ${JSON.stringify(options['limit'])}`);
    const show = options['json'] === true || options['format'] === 'ndjson' ? eventJson : eventText;
    const opened = openTrace(file);
    let shown = 0;
    let pending = '';
    try {
      const trace = options['derived'] === true ? derivedOf(opened, file) : opened;
      for (const segment of trace.segments(planOf(filter))) {
        for (const event of plainEvents(segment, trace.strings)) {
          if (shown >= limit) break;
          if (!matches(filter, event)) continue;
          shown++;
          pending += `${show(event)}\n`;
          if (pending.length < WRITE_BYTES) continue;
          io.out(pending);
          pending = '';
        }
        if (shown >= limit) break;
        // Lets Ctrl-C through: everything else here is synchronous.
        await new Promise((resolve) => setImmediate(resolve));
        if (io.signal.aborted) break;
      }
      io.out(pending);
      const { health } = trace;
      for (const { kind, name, count, first } of health.entries) {
        if (kind === 'truncated' || kind === 'lost') io.err(`iorr: ${kind} ${count}: ${name} ${first.join(', ')}\n`);
      }
      return io.signal.aborted ? 130 : 0;
    } finally {
      opened.close();
    }
  },
};

function derivedOf(trace: Trace, file: string): Trace {
  const derived = deriveIntents(trace);
  if (derived !== undefined) return derived;
  throw new IorrError('STREAM_MISSING', "the trace's ioctls tell of no maps or commands that it does not hold itself", {
    place: { file },
    hint: `iorr cat ${file}`,
  });
}
