import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compareLimit } from '../limit/compare-limit.ts';
import { LIMIT_OPERATION } from '../limit/limit-trace.ts';
import { LIMIT_SHAPES } from '../limit/limit-streams.ts';
import { programExit, programOptions } from '../../traces/program.ts';
import { Random } from '../../traces/random.ts';
import { PEERS } from './peers.ts';

// npm run bench:peers: other simulators where they are installed, how to run them where not. See docs/peers.md.
const EVENTS = 4_000_000;
const out = (line: string): void => void process.stdout.write(`${line}\n`);

/** Pages of the accesses of a stream, each domain's apart. */
function pagesOf(events: Uint8Array): Float64Array {
  const words = new Uint32Array(events.buffer, events.byteOffset, events.length / 4);
  const pages: number[] = [];
  for (let at = 0; at < words.length; at += 2) {
    const operation = words[at]! & 15;
    if (operation <= LIMIT_OPERATION.write) pages.push(words[at + 1]! * 0x100000 + (words[at]! >>> 12));
  }
  return Float64Array.from(pages);
}

process.exitCode = await programExit('bench:peers', async () => {
  programOptions({ options: {} });
  out('million events per second, one core');
  for (const shape of LIMIT_SHAPES.filter(({ name }) => name === 'pure' || name === 'z12')) {
    const { kernel, yardstick, fromFile } = await compareLimit(shape, { events: EVENTS, rounds: 3 });
    out(
      `${shape.name}: kernel ${kernel.toFixed(1)}, from file ${fromFile.toFixed(1)}, C program ${yardstick.toFixed(1)}`,
    );
    for (const { name, installed, run } of PEERS) {
      if (run === undefined || !installed()) continue;
      const folder = mkdtempSync(join(tmpdir(), 'iorr-peers-'));
      const rate = run(pagesOf(shape.generate(EVENTS, new Random(1)).events), folder);
      rmSync(folder, { recursive: true });
      out(`${shape.name}: ${name} ${rate === undefined ? 'told no rate' : rate.toFixed(1)}`);
    }
  }
  for (const { name, about, measured, how, installed } of PEERS) {
    out(`${name}: ${about}; measured ${measured}${installed() ? '' : '; not installed here'}`);
    out(`  ${how}`);
  }
  return 0;
});
