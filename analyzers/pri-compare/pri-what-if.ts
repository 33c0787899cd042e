import { MOST_DESIGNS } from '../../replay/faults/pri-design.ts';
import type { NamedArrivals, NamedService, PriDesign } from '../../replay/faults/pri-design.ts';
import { pageRequestQueue } from '../../replay/faults/queues/page-request-queues.ts';
import type { PageRequestQueue } from '../../replay/faults/queues/page-request-queue.ts';
import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import { parseDuration } from '../duration.ts';

/**
 * The what-if of `--pri`: names with lists of values, `depth=256,2048;servers=1,4`, whose every combination is a row. Semicolons
 * or blanks part the names.
 */

const KEYS = [
  'queue',
  'depth',
  'outstanding',
  'servers',
  'service',
  'arrivals',
  'speed',
  'batch',
  'repair',
  'prefetch',
] as const;
type Key = (typeof KEYS)[number];

const EXAMPLE = "for example --pri 'depth=256,2048;servers=1,4;service=recorded,exp:20us'";
const REPAIRS: { readonly [name: string]: number } = { '4k': 1, '64k': 16, '2m': 512 };
const MOST_DEPTH = 1 << 20;

/** One value by name; none for those that were not given. */
type Values = { readonly [K in Key]?: string };

/** Rows in the order of the lists, later names faster. `queue`: the one of the trace's IOMMU. Throws `USAGE`. */
export function priDesigns(text: string, queue: PageRequestQueue): readonly PriDesign[] {
  const lists = listsOf(text);
  let rows: readonly Values[] = [{}];
  for (const key of KEYS) {
    const values = lists.get(key);
    if (values === undefined) continue;
    rows = rows.flatMap((row) => values.map((value): Values => ({ ...row, [key]: value })));
    if (rows.length <= MOST_DESIGNS) continue;
    throw new IorrError('USAGE', `--pri asks for more than ${MOST_DESIGNS} rows`, {
      hint: 'every combination of all lists is a row: give fewer values',
    });
  }
  return rows.map((row) => designOf(row, queue));
}

function designOf(row: Values, queue: PageRequestQueue): PriDesign {
  const own = row.queue === undefined ? queue : pageRequestQueue(row.queue);
  const { entries, outstanding } = own.timing;
  return {
    queue: own,
    depth: whole('depth', row.depth ?? String(entries), 2, MOST_DEPTH),
    outstanding: whole('outstanding', row.outstanding ?? String(outstanding), 1, 1 << 16),
    servers: whole('servers', row.servers ?? '1', 1, 1024),
    service: serviceOf(row.service ?? 'default'),
    arrivals: arrivalsOf(row.arrivals ?? 'recorded'),
    speed: positive('speed', row.speed ?? '1'),
    batch: whole('batch', row.batch ?? '1', 1, 4096),
    repairPages: repairOf(row.repair ?? '4k'),
    prefetch: whole('prefetch', row.prefetch ?? '0', 0, 4096),
  };
}

function listsOf(text: string): ReadonlyMap<Key, readonly string[]> {
  const lists = new Map<Key, readonly string[]>();
  for (const part of text.split(/[;\s]+/).filter((one) => one !== '' && one !== 'default')) {
    const [name = '', values] = part.split('=', 2);
    const key = KEYS.find((one) => one === name);
    if (key === undefined) {
      const near = nearest(name, KEYS);
      throw new IorrError('USAGE', `--pri ${part}: unknown name '${name}'; known: ${KEYS.join(', ')}`, {
        hint: near === undefined ? EXAMPLE : `did you mean '${near}'?`,
      });
    }
    const list = [...new Set((values ?? '').split(',').map((value) => value.trim()))].filter((value) => value !== '');
    if (list.length === 0) throw new IorrError('USAGE', `--pri ${part}: ${name} has no value`, { hint: EXAMPLE });
    if (lists.has(key)) throw new IorrError('USAGE', `--pri names ${name} twice`, { hint: `say ${name}=a,b` });
    lists.set(key, list);
  }
  return lists;
}

function whole(name: string, text: string, low: number, high: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= low && value <= high) return value;
  throw new IorrError('USAGE', `--pri ${name}=${text}: a whole number from ${low} to ${high} expected`);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (/^\d+(?:\.\d+)?(?:e\d+)?$/i.test(text) && value > 0 && value <= 1e9) return value;
  throw new IorrError('USAGE', `--pri ${name}=${text}: a number above 0 expected, such as 10 or 0.5`);
}

function repairOf(text: string): number {
  const pages = REPAIRS[text.toLowerCase()];
  if (pages !== undefined) return pages;
  throw new IorrError('USAGE', `--pri repair=${text}: one of ${Object.keys(REPAIRS).join(', ')} expected`);
}

/** `recorded`, `fitted`, `resampled`, `published`, `published:80x`, `fixed:20us`, `exp:700us`, `lognormal:20us:0.8`, `gamma:20us:4`. */
function serviceOf(name: string): NamedService {
  const [kind = '', time, more] = name.split(':', 3);
  if (time === undefined) {
    if (kind === 'default' || kind === 'fitted' || kind === 'resampled') return { name, time: kind };
    if (kind === 'recorded') return { name, time: { kind } };
    if (kind === 'published') return { name, time: { kind, cpuFaults: 0 } };
  } else {
    if (kind === 'published') return { name, time: { kind, cpuFaults: positive('service', time.replace(/x$/i, '')) } };
    const ns = (): number => Math.max(1, parseDuration(time, '--pri service'));
    if (kind === 'fixed') return { name, time: { kind, ns: parseDuration(time, '--pri service') } };
    if (kind === 'exp') return { name, time: { kind: 'exponential', ns: ns() } };
    if (kind === 'lognormal') return { name, time: { kind, ns: ns(), sigma: positive('service', more ?? '0.5') } };
    if (kind === 'gamma') return { name, time: { kind, ns: ns(), shape: positive('service', more ?? '2') } };
  }
  throw new IorrError('USAGE', `--pri service=${name}: nothing is called so`, {
    hint: 'recorded, fitted, resampled, published, published:80x, fixed:20us, exp:700us, lognormal:20us:0.8 or gamma:20us:4',
  });
}

/** `recorded`, `poisson`, `poisson:50000` (groups a second), `fixed:50000`, `closed:8` (groups under way), `closed:8:5us` (pauses). */
function arrivalsOf(name: string): NamedArrivals {
  const [kind, value, pause] = name.split(':', 3);
  if (kind === 'recorded' && value === undefined) return { name, kind, value: 0, thinkNs: 0 };
  if (kind === 'poisson' || kind === 'fixed') {
    return { name, kind, value: value === undefined ? 0 : positive('arrivals', value), thinkNs: 0 };
  }
  if (kind === 'closed') {
    const thinkNs = pause === undefined ? 0 : parseDuration(pause, '--pri arrivals');
    return { name, kind, value: whole('arrivals=closed', value ?? '1', 1, 512), thinkNs };
  }
  throw new IorrError('USAGE', `--pri arrivals=${name}: nothing is called so`, {
    hint: 'recorded, poisson, poisson:50000, fixed:50000, closed:8 or closed:8:5us',
  });
}
