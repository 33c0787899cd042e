import { execFileSync, spawnSync } from 'node:child_process';
import { openSync, closeSync, writeSync } from 'node:fs';

/** Another simulator that is run on the streams of the speed limit where it is installed. */
export interface Peer {
  readonly name: string;
  readonly about: string;
  /** Measured elsewhere: million events a second on one core of a two-core machine. */
  readonly measured: string;
  /** How to run it by hand. */
  readonly how: string;
  /** True where its program is found. */
  readonly installed: () => boolean;
  /** Million events per second of a run on pages in order of access; undefined where its output tells none. */
  readonly run?: (pages: Float64Array, folder: string) => number | undefined;
}

const found = (program: string): boolean => spawnSync(program, ['--help'], { stdio: 'ignore' }).error === undefined;
/** Bytes of a record of an oracleGeneral trace: u32 time, u64 object, u32 size, i64 next use. */
const RECORD = 24;
const BUFFERED = 65536;

/** Writes accesses as libCacheSim reads them; next use is the index of it, or -1. */
export function writeOracleGeneral(file: string, pages: Float64Array): void {
  const next = new Float64Array(pages.length).fill(-1);
  const last = new Map<number, number>();
  for (let i = pages.length - 1; i >= 0; i--) {
    next[i] = last.get(pages[i]!) ?? -1;
    last.set(pages[i]!, i);
  }
  const out = openSync(file, 'w');
  const view = new DataView(new ArrayBuffer(BUFFERED * RECORD));
  for (let from = 0; from < pages.length; from += BUFFERED) {
    const count = Math.min(BUFFERED, pages.length - from);
    for (let i = 0; i < count; i++) {
      const at = i * RECORD;
      view.setUint32(at, Math.floor((from + i) / 20_000) + 1, true);
      view.setBigUint64(at + 4, BigInt(pages[from + i]! + 1), true);
      view.setUint32(at + 12, 4096, true);
      view.setBigInt64(at + 16, BigInt(next[from + i]!), true);
    }
    writeSync(out, new Uint8Array(view.buffer, 0, count * RECORD));
  }
  closeSync(out);
}

export const PEERS: readonly Peer[] = [
  {
    name: 'libCacheSim',
    about: 'fully associative LRU; no walks, no invalidations',
    measured: '69 to 71 all hits, 33 at half misses',
    how: 'cachesim NAME.oracleGeneral oracleGeneral lru 256 --ignore-obj-size 1',
    installed: () => found('cachesim'),
    run: (pages, folder) => {
      const file = `${folder}/pages.oracleGeneral`;
      writeOracleGeneral(file, pages);
      const text = execFileSync('cachesim', [file, 'oracleGeneral', 'lru', '256', '--ignore-obj-size', '1'], {
        encoding: 'utf8',
        cwd: folder,
      });
      const rate = /throughput\s+([\d.]+)\s*MQPS/i.exec(text)?.[1];
      return rate === undefined ? undefined : Number(rate);
    },
  },
  {
    name: 'DynamoRIO TLB',
    about: 'TLBs of CPUs, on recorded programs; no invalidations',
    measured: '24 to 40',
    how: 'drrun -t drcachesim -simulator_type TLB -indir DIR -TLB_L1D_entries 256 -TLB_L1D_assoc 4',
    installed: () => found('drrun'),
  },
  {
    name: 'HyperSIO',
    about: 'translation caches of many tenants, with time',
    measured: '0.16 to 0.19',
    how: 'hypersio-perf --run --config FILE.cfg --prefix NAME --tqueue 1 --tenants N --iotlbrepl lru --linkbwgbps 200',
    installed: () => found('hypersio-perf'),
  },
];
