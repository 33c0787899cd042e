import { HEAD_BYTES } from '../../recorder/import/importer.ts';
import { IMPORTERS, detectImporter } from '../../recorder/import/importers.ts';
import { IorrError } from '../../traces/errors.ts';
import { guestLog, hostLog } from '../log-text.ts';
import { simulatedTrace } from '../simulated-trace.ts';
import { checkImported, importBytes } from './fuzz-importers.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { mutateLog } from './mutate-log.ts';

/**
 * Damaged logs of simulated runs, of any length: recognised or not, imported by one importer, each line accounted for, and read back.
 */
export function fuzzLogs(): FuzzTarget {
  const trace = simulatedTrace('packet-nic', ['events=4000', 'devices=3', 'ring=32', 'calls=yes', 'buffer=9000']);
  const bases = [[...guestLog(trace)], [...hostLog(trace)]];
  return {
    make: (random) => mutateLog(bases, random),
    take(bytes, random) {
      const detected = detectImporter(bytes.subarray(0, HEAD_BYTES));
      const importer = detected ?? IMPORTERS[random.below(IMPORTERS.length)];
      if (importer === undefined) throw new Error('no importer');
      try {
        const events = checkImported(importBytes(importer, bytes, random));
        return { refused: detected === undefined ? 'unrecognised' : undefined, events };
      } catch (error) {
        // what is not its format at all may be refused, by a binary one at the first byte
        if (detected !== undefined || !(error instanceof IorrError)) throw error;
        return { refused: error.code, events: 0 };
      }
    },
  };
}
