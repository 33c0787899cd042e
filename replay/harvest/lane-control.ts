import type { DirtyBitmap } from './range-harvester.ts';
import type { SharedTables } from './table-memory.ts';

/** Words that the threads of a harvest share: what is to be done, who does it, and what was found. */
export const LANE = {
  ready: 0,
  round: 1,
  stop: 2,
  threads: 3,
  clear: 4,
  next: 5,
  done: 6,
  leaves: 7,
  cleared: 8,
  turns: 9,
} as const;

/** What a harvesting thread is told once. */
export interface LaneTask {
  readonly shared: SharedTables;
  /** Over shared memory. */
  readonly bitmap: DirtyBitmap;
  readonly control: Int32Array;
  readonly lane: number;
}

/** The built worker; when this module itself runs from its source, the one in `dist`. */
export function harvestWorker(): string {
  const built = !import.meta.url.endsWith('.ts');
  return new URL(built ? './harvest-worker.js' : '../../dist/replay/harvest/harvest-worker.js', import.meta.url).href;
}
