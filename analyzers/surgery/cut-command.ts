import type { CommandSpec } from '../../traces/command.ts';
import { IorrError } from '../../traces/errors.ts';
import { formatCount, formatNs } from '../report/format-units.ts';
import { findPlaces, parsePlace } from './cut-place.ts';
import { cutWindow } from './cut-window.ts';
import { OUTPUT_OPTIONS, reshape, reshapeTask } from './reshape-file.ts';

const START = 'event:0';

export const cutCommand: CommandSpec = {
  name: 'cut',
  summary: 'writes a window of a trace, with the state at its start carried in',
  args: ['FILE'],
  options: [
    ...OUTPUT_OPTIONS,
    {
      flags: '--from <place>',
      description: 'a time (1.5s), an event (event:1200) or a mark (mark:TEXT); default: the start',
    },
    { flags: '--to <place>', description: 'the first event that is no longer in it; default: the end' },
  ],
  examples: [
    { command: 'iorr cut run.iorr --from 1.5s --to 2s -o window.iorr', does: 'half a second' },
    { command: 'iorr cut run.iorr --from mark:fio-randrw --to mark:fio-seq -o randrw.iorr', does: 'one phase' },
    {
      command: 'iorr cut run.iorr --from event:100000 -o - | iorr replay -',
      does: 'replays from an event on, with the page tables of there',
    },
  ],
  async run(invocation) {
    const task = reshapeTask('cut', invocation);
    const { from, to } = invocation.options;
    if (from === undefined && to === undefined) {
      throw new IorrError('USAGE', 'which window? neither --from nor --to was given', {
        hint: `iorr cut ${task.input} --from 1.5s --to 2s -o window.iorr`,
      });
    }
    const places = [
      parsePlace(typeof from === 'string' ? from : START, '--from'),
      ...(typeof to === 'string' ? [parsePlace(to, '--to')] : []),
    ];
    const options = { from: typeof from === 'string' ? from : null, to: typeof to === 'string' ? to : null };
    return reshape(
      invocation,
      task,
      options,
      (trace) => {
        const [first = 0, end = trace.eventCount] = findPlaces(trace, places);
        if (end <= first) {
          throw new IorrError('USAGE', `no event from event ${first} to before event ${end} of ${trace.eventCount}`, {
            place: { file: task.input },
            hint: `iorr info ${task.input} tells how long it is`,
          });
        }
        return cutWindow(trace, first, end);
      },
      ({ kept, carried, fromNs, toNs }) =>
        `iorr: ${formatCount(kept)} events in ${formatNs(toNs - fromNs)}, and ${formatCount(carried)} that carry the state in\n`,
      (done) => ({ options, ...done }),
    );
  },
};
