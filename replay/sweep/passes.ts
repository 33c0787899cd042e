import { MOST_SET_WAYS } from '../distances/stack-distances.ts';
import { isStackHardware } from '../distances/lru-hardware.ts';
import { parameterOf } from '../hardware/profile.ts';
import { resolvePoint } from './resolve-point.ts';
import type { ResolvedPoint } from './resolve-point.ts';
import type { SweepPoint } from './sweep-point.ts';

/**
 * Points of as many tenants that one reading of the trace answers: `stacks`, geometries of an IOTLB by stack distances; `designs`, rows of one comparison;
 * `replay`, a single one.
 */
export interface SweepPass {
  readonly kind: 'stacks' | 'designs' | 'replay';
  readonly points: readonly ResolvedPoint[];
}

/** What stack distances tell apart by themselves, or does not change what the IOTLB holds. */
const FREE = /^(?:iotlb\.(?:sets|ways|seed)$|walk-cache\.|context\.entries$|pasid\.entries$)/;
/** Numbers of sets that one pass follows. */
const MOST_SETS = 24;
/** Ways of a cache without sets: what distances follow at most. */
const MOST_ENTRIES = 1 << 20;

/** Splits points into as few passes as the maths allows. */
export function planPasses(points: readonly SweepPoint[]): readonly SweepPass[] {
  const passes: { kind: SweepPass['kind']; key: string; points: ResolvedPoint[]; sets: Set<number> }[] = [];
  const open = new Map<string, (typeof passes)[number]>();
  for (const resolved of points.map(resolvePoint)) {
    const kind = kindOf(resolved);
    const key = kind === 'replay' ? '' : `${kind} ${resolved.tenants} ${sharedKey(kind, resolved)}`;
    const sets = kind === 'stacks' ? parameterOf(resolved.hardware, 'iotlb.sets') : 0;
    const found = open.get(key);
    if (kind !== 'replay' && found !== undefined && (found.sets.has(sets) || found.sets.size < MOST_SETS)) {
      found.points.push(resolved);
      found.sets.add(sets);
      continue;
    }
    const pass = { kind, key, points: [resolved], sets: new Set([sets]) };
    passes.push(pass);
    if (kind !== 'replay') open.set(key, pass);
  }
  // one geometry is sooner replayed by itself
  return passes.map(({ kind, points: of }) => ({
    kind: kind === 'stacks' && of.length === 1 ? 'replay' : kind,
    points: of,
  }));
}

function kindOf({ design, hardware, point }: ResolvedPoint): SweepPass['kind'] {
  if (design !== undefined) return 'designs';
  const { counts, access } = point.question;
  if (counts === 'all' || (access ?? 'recorded') !== 'recorded' || !isStackHardware(hardware)) return 'replay';
  const ways = parameterOf(hardware, 'iotlb.ways');
  const single = parameterOf(hardware, 'iotlb.sets') === 1;
  return ways <= (single ? MOST_ENTRIES : MOST_SET_WAYS) ? 'stacks' : 'replay';
}

function sharedKey(kind: 'stacks' | 'designs', { hardware, profile, parameters, point }: ResolvedPoint): string {
  const values = hardware.parameters.filter(({ name }) => kind === 'designs' || !FREE.test(name));
  return JSON.stringify([
    hardware.name,
    values.map(({ name, value }) => [name, value]),
    kind === 'stacks' ? null : [profile.parameters, [...parameters], point.question.access ?? null],
  ]);
}
