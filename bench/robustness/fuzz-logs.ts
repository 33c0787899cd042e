import { HEAD_BYTES } from '../../recorder/import/importer.ts';
import type { Importer } from '../../recorder/import/importer.ts';
import { IMPORTERS, detectImporter } from '../../recorder/import/importers.ts';
import { IorrError } from '../../traces/errors.ts';
import { FORMAT_VERSION } from '../../traces/header.ts';
import { Health } from '../../traces/health.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import type { Random } from '../../traces/random.ts';
import { guestLog, hostLog } from '../log-text.ts';
import { simulatedTrace } from '../simulated-trace.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { mutateLog } from './mutate-log.ts';
import { readEverything } from './read-everything.ts';

/** All of the bytes given to one importer, in pieces. */
function begin(importer: Importer, bytes: Uint8Array, random: Random) {
  const header = importer.describe(bytes.subarray(0, HEAD_BYTES));
  const sink = new MemoryTrace({
    formatVersion: FORMAT_VERSION,
    tool: 'iorr',
    toolVersion: '0',
    sources: [header.source],
    host: header.host,
    clock: header.clock,
    fidelity: header.fidelity,
  });
  const health = new Health();
  const run = importer.create({ sink, health, file: 'damaged.log', header });
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(20_000);
    run.push(bytes.subarray(at, end));
    at = end;
  }
  return { run, sink, health };
}

/**
 * Damaged logs of all kinds: recognised or not, imported by one importer, each line accounted for, and read back.
 * `extra` are lines of real logs to damage as well.
 */
export function fuzzLogs(extra: readonly (readonly string[])[] = []): FuzzTarget {
  const trace = simulatedTrace('packet-nic', ['events=4000', 'devices=3', 'ring=32', 'calls=yes', 'buffer=9000']);
  const bases = [[...guestLog(trace)], [...hostLog(trace)], ...extra.filter((lines) => lines.length > 0)];
  return {
    make: (random) => mutateLog(bases, random),
    take(bytes, random) {
      const head = bytes.subarray(0, HEAD_BYTES);
      const detected = detectImporter(head);
      const importer = detected ?? IMPORTERS[random.below(IMPORTERS.length)];
      if (importer === undefined) throw new Error('no importer');
      const begun = ((): ReturnType<typeof begin> | IorrError => {
        try {
          return begin(importer, bytes, random);
        } catch (error) {
          // what is not its format at all may be refused, by a binary one at the first byte
          if (detected !== undefined || !(error instanceof IorrError)) throw error;
          return error;
        }
      })();
      if (begun instanceof IorrError) return { refused: begun.code, events: 0 };
      const { run, sink, health } = begun;
      const facts = run.end();
      const report = health.report();
      const accounted = facts.events + facts.folded + facts.blank + facts.skipped;
      const troubled = report.malformed + report.unknown + report.ignored;
      if (accounted + troubled !== facts.lines || facts.folded < 0) {
        throw new Error(`${JSON.stringify(facts)} do not fit ${JSON.stringify(report)}`);
      }
      const read = readEverything(sink, {});
      return { refused: detected === undefined ? 'unrecognised' : undefined, events: read };
    },
  };
}
