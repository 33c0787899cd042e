import { IorrError } from '../traces/errors.ts';
import type { CommandSpec } from '../traces/command.ts';
import { describeInput, givenOptions, makeEnvelope } from '../traces/envelope.ts';
import { openTrace } from '../traces/file.ts';
import { toJson } from '../traces/plain-json.ts';
import { toolVersion } from '../traces/tool.ts';
import type { HealthReport } from '../traces/health.ts';
import { formatBytes, formatCount, formatDecimal, formatNs } from './report/format-units.ts';
import { printable } from './report/escape.ts';
import { layOut } from './report/plain-table.ts';
import { traceInfo } from './trace-info.ts';
import type { TraceInfo } from './trace-info.ts';

function noteLines(notes: TraceInfo['notes']): string[] {
  const lines = Object.entries(notes).map(([name, value]) => `  ${name}: ${printable(JSON.stringify(value))}`);
  return lines.length === 0 ? [] : ['notes', ...lines];
}

function healthText(health: HealthReport): string[] {
  const lines = health.entries.map(({ kind, name, count, first }) => {
    const places = first.length === 0 ? '' : `  first: ${first.map((place) => printable(place)).join(', ')}`;
    return `  ${kind} ${formatCount(count)}  ${printable(name)}${places}`;
  });
  return lines.length === 0 ? ['health: nothing malformed, unknown, lost or truncated'] : ['health', ...lines];
}

function infoText(file: string, info: TraceInfo, health: HealthReport): string {
  const { header } = info;
  const sources = header.sources.map((source) => `${source.format} (${source.producer})`).join(', ');
  const host = Object.entries(header.host).map(([key, value]) => `${key} ${String(value)}`);
  const table = layOut({
    head: ['stream', 'events', 'bytes', 'bytes/event', 'seen'],
    rows: [
      ...Object.entries(info.streams).map(([name, { events, bytes }]) => [
        name,
        formatCount(events),
        formatCount(bytes),
        formatDecimal(bytes / events),
        header.fidelity[name as keyof typeof header.fidelity] ?? '-',
      ]),
      ['all', formatCount(info.events), formatCount(info.bytes), formatDecimal(info.bytesPerEvent), ''],
    ],
  });
  const lines = [
    `${printable(file)}: ${formatCount(info.events)} events in ${formatBytes(info.bytes)}, ${formatNs(info.durationNs)}`,
    `source  ${printable(sources)}${host.length === 0 ? '' : `; ${printable(host.join(', '))}`}`,
    `clock   ${printable(header.clock.name)}, step ${formatNs(header.clock.resolutionNs)}, time 0 at ${header.clock.epochNs} ns`,
    `written by ${printable(header.tool)} ${printable(header.toolVersion)}, format ${header.formatVersion}, ${formatCount(info.segments)} segments${info.closed ? '' : ', NOT CLOSED: it was cut'}`,
    ...(header.carried === undefined
      ? []
      : [`cut     the first ${formatCount(header.carried)} events carry in the state at its start`]),
    '',
    table,
    '',
    ...noteLines(info.notes),
    ...healthText(health),
  ];
  return `${lines.join('\n')}\n`;
}

export const infoCommand: CommandSpec = {
  name: 'info',
  summary: 'says what a trace holds, how large it is and what it lost',
  args: ['FILE'],
  options: [
    { flags: '--json', description: 'one JSON document on stdout' },
    { flags: '--check', description: 'decode every segment, so that all damage is found' },
    { flags: '--strict', description: 'exit 4 if anything is malformed, unknown, lost or truncated' },
  ],
  examples: [
    { command: 'iorr info run.iorr', does: 'events, bytes and fidelity by stream, clock, health' },
    { command: 'iorr info --json run.iorr | jq .result.bytesPerEvent', does: 'one figure for a script' },
    { command: 'iorr info --check --strict upload.iorr', does: 'is this file whole? exit 4 if not' },
  ],
  async run({ args, options, io }) {
    const file = args[0];
    if (file === undefined) throw new IorrError('USAGE', 'a trace expected', { hint: 'iorr info run.iorr' });
    const trace = openTrace(file);
    try {
      const info = traceInfo(trace, options['check'] === true);
      const { health } = trace;
      if (options['json'] === true) {
        const input = [describeInput(file, trace, trace.bytes)];
        const effective = givenOptions(options, ['check', 'strict']);
        const parts = { version: toolVersion(), input, options: effective, health, result: info };
        io.out(toJson(makeEnvelope('info', parts)));
      } else io.out(infoText(file, info, health));
      const incomplete = health.malformed + health.unknown + health.lost + health.truncated > 0;
      return options['strict'] === true && incomplete ? 4 : 0;
    } finally {
      trace.close();
    }
  },
};
