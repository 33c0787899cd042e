import type { CommandSpec } from '../../traces/command.ts';
import { makeEnvelope } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { EMPTY_HEALTH } from '../../traces/header.ts';
import { toJson } from '../../traces/plain-json.ts';
import { toolVersion } from '../../traces/tool.ts';
import { diagnose, doctorText } from './doctor.ts';
import { LIVE_SOURCES } from './live-sources.ts';
import { thisSystem } from './system.ts';

export const doctorCommand: CommandSpec = {
  name: 'doctor',
  summary: 'says what this machine can record, and how to get the rest',
  args: [],
  options: [{ flags: '--json', description: 'print the result as one JSON document' }],
  examples: [
    { command: 'iorr doctor', does: 'look at this machine; changes nothing' },
    { command: 'iorr doctor && iorr record -o run.iorr', does: 'record only where that works' },
    { command: 'iorr doctor --json', does: 'the same for a script' },
  ],

  async run({ args, options, io }): Promise<number> {
    if (args.length > 0) throw new IorrError('USAGE', `no argument expected, got ${args.length}`);
    const result = diagnose(thisSystem(), LIVE_SOURCES);
    if (options['json'] === true) {
      const parts = { version: toolVersion(), input: [], health: EMPTY_HEALTH, result };
      io.out(toJson(makeEnvelope('doctor', parts)));
    } else {
      io.out(doctorText(result));
    }
    return result.recordWorks ? 0 : 1;
  },
};
