import type { CommandSpec } from '../../traces/command.ts';
import type { OptionValue } from '../../traces/envelope.ts';
import { IorrError } from '../../traces/errors.ts';
import { OBJECT_FLAGS, parseFilter, timeFlags } from '../event-filter.ts';
import { formatCount } from '../report/format-units.ts';
import { filterTrace } from './filter-trace.ts';
import { OUTPUT_OPTIONS, reshape, reshapeTask } from './reshape-file.ts';

/** Names of the options that choose events. */
const CHOICES = ['stream', 'from', 'to', 'device', 'domain', 'pid', 'iova'] as const;

export const filterCommand: CommandSpec = {
  name: 'filter',
  summary: 'writes a trace of the events that match',
  args: ['FILE'],
  options: [
    ...OUTPUT_OPTIONS,
    ...timeFlags(),
    ...OBJECT_FLAGS,
    { flags: '--pid <pid>', description: 'only calls of this process, and what its threads did' },
  ],
  examples: [
    { command: 'iorr filter run.iorr --stream map,unmap,inv -o control.iorr', does: 'without the accesses' },
    { command: 'iorr filter run.iorr --device 0000:00:04.0 -o nvme.iorr', does: 'what names one device' },
    {
      command: 'iorr filter run.iorr --pid 1234 --from 2s -o - | iorr info -',
      does: 'one process after the first two seconds, through a pipe',
    },
  ],
  async run(invocation) {
    const task = reshapeTask('filter', invocation);
    const filter = parseFilter(invocation.options);
    if (Object.keys(filter).length === 0) {
      throw new IorrError('USAGE', 'which events? no filter was given', {
        hint: `one of ${CHOICES.map((name) => `--${name}`).join(', ')}`,
      });
    }
    const options: Record<string, OptionValue> = {};
    for (const name of CHOICES) {
      const value = invocation.options[name];
      if (typeof value === 'string') options[name] = value;
      else if (Array.isArray(value)) options[name] = value.map(String);
    }
    return reshape(
      invocation,
      task,
      options,
      (trace) => filterTrace(trace, filter),
      ({ events, kept }) => `iorr: ${formatCount(kept)} of ${formatCount(events)} events kept\n`,
      ({ events, kept }) => ({ options, events, kept }),
    );
  },
};
