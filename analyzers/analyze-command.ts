import type { CommandSpec } from '../traces/command.ts';
import { describeInput, makeEnvelope } from '../traces/envelope.ts';
import { IorrError } from '../traces/errors.ts';
import { openTrace } from '../traces/file.ts';
import { toJson } from '../traces/plain-json.ts';
import { toolVersion } from '../traces/tool.ts';
import { ANALYSES } from './analyses.ts';

const NAMES = ANALYSES.map(({ name }) => name).join(', ');

export const analyzeCommand: CommandSpec = {
  name: 'analyze',
  summary: `asks one question of a trace: ${NAMES}`,
  args: ['NAME', 'FILE'],
  options: [{ flags: '--json', description: 'one JSON document on stdout' }],
  examples: [
    { command: 'iorr analyze ioctl s.iorr', does: 'calls, errors and latency by request, batch sizes' },
    { command: 'iorr analyze ioctl s.iorr --json | jq .result.requests[0]', does: 'the most frequent request' },
    { command: "iorr analyze ioctl s.iorr --json | jq '.result.batches'", does: 'how much one call asks for' },
  ],
  async run({ args, options, io }) {
    const [name, file] = args;
    const analysis = ANALYSES.find((known) => known.name === name);
    if (analysis === undefined) {
      const found = name === undefined ? '' : `, found ${JSON.stringify(name)}`;
      throw new IorrError('USAGE', `an analysis expected (${NAMES})${found}`, { hint: 'iorr analyze ioctl s.iorr' });
    }
    if (file === undefined) {
      throw new IorrError('USAGE', 'a trace expected', { hint: `iorr analyze ${analysis.name} s.iorr` });
    }
    const trace = openTrace(file);
    try {
      const { result, text } = analysis.run(trace, file);
      if (options['json'] === true) {
        const input = [describeInput(file, trace, trace.bytes)];
        const parts = { version: toolVersion(), input, health: trace.health, result };
        io.out(toJson(makeEnvelope(`analyze ${analysis.name}`, parts)));
      } else io.out(text);
      return 0;
    } finally {
      trace.close();
    }
  },
};
