import { IorrError } from '../../traces/errors.ts';
import type { Trace } from '../../traces/trace.ts';
import { nearest } from '../../traces/nearest.ts';
import type { HardwareProfile } from '../hardware/profile.ts';
import { hardwareProfile } from '../hardware/profiles.ts';
import { qemuVtd, qemuVtd72 } from '../hardware/qemu-vtd.ts';
import type { VerifyCounts, VerifyKind, VerifyResult } from '../results.ts';
import { LISTED } from './verification.ts';
import type { VerifyPart } from './verification.ts';
import { verifyDma } from './verify-dma.ts';
import { verifyInv } from './verify-inv.ts';
import { verifyIoctl } from './verify-ioctl.ts';
import { verifyPri } from './verify-pri.ts';

/** What is compared, and with which model; what is absent follows from the trace. */
export interface VerifyOptions {
  /** Kinds to check; default all that the trace has. */
  readonly only?: readonly VerifyKind[];
  /** Default: `auto` by the trace's header, and by what agrees where that does not tell QEMU's versions apart. */
  readonly hardware?: HardwareProfile;
  /** Driver under VFIO devices: `as-recorded` (default), `auto` or a name of the model's. */
  readonly driver?: string;
  /** Design whose commands are expected; found out from the trace if not given. */
  readonly design?: string;
}

export const VERIFY_KINDS: readonly VerifyKind[] = ['ioctl', 'dma', 'inv', 'pri'];

/** The kinds in `dma,inv`. Throws `USAGE` for anything else. */
export function verifyKinds(text: string): VerifyKind[] {
  return text.split(',').map((word) => {
    const kind = VERIFY_KINDS.find((known) => known === word.trim());
    if (kind !== undefined) return kind;
    const near = nearest(word.trim(), VERIFY_KINDS);
    throw new IorrError('USAGE', `--only ${text}: '${word}' is not one of ${VERIFY_KINDS.join(', ')}`, {
      hint: near === undefined ? 'for example --only dma,inv' : `did you mean '${near}'?`,
    });
  });
}

/** Compares every recorded outcome with the model's. Throws `NOTHING_TO_VERIFY` where the trace holds none of those asked for. */
export function verifyTrace(trace: Trace, options: VerifyOptions = {}): VerifyResult {
  const steps = verifySteps(trace, options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same in steps, for a caller that has more to do meanwhile: yields the number of events done. */
export function* verifySteps(trace: Trace, options: VerifyOptions = {}): Generator<number, VerifyResult> {
  const wanted = options.only ?? VERIFY_KINDS;
  const parts: VerifyPart[] = [];
  const notes: string[] = [];
  const missing: string[] = [];
  if (wanted.includes('ioctl')) {
    const part = verifyIoctl(trace, options.driver);
    if (part === undefined) missing.push('ioctl: the trace has no ioctl events');
    else parts.push(part);
  }
  if (wanted.includes('dma')) {
    const part = yield* checkDma(trace, options);
    if (part === undefined) missing.push('dma: the trace has no dma events (live kernels and guests cannot see DMA)');
    else parts.push(part);
  }
  if (wanted.includes('inv')) {
    const part = checkInv(trace, options);
    if (part === undefined) missing.push(missingInv(trace));
    else parts.push(part);
  }
  if (wanted.includes('pri')) {
    const part = verifyPri(trace);
    if (part !== undefined) parts.push(part);
    else if (options.only !== undefined)
      missing.push('pri: the trace has not both page requests and what user space read of them');
  }
  if (options.only !== undefined) notes.push(...missing);
  const result = merge(parts, notes);
  if (result.checked === 0) {
    const skipped = Object.entries(result.skipped.reasons).map(([reason, count]) => `${count} skipped: ${reason}`);
    throw new IorrError('NOTHING_TO_VERIFY', [...missing, ...skipped].join('; ') || 'no recorded outcome', {
      hint: hintOf(trace, wanted),
    });
  }
  return result;
}

/** What a recording must hold for the kinds that were asked for. */
function hintOf(trace: Trace, wanted: readonly VerifyKind[]): string {
  const { ioctl, dma } = trace.streamCounts;
  if (wanted.includes('ioctl') && (wanted.length === 1 || ioctl > 0))
    return ioctl === 0
      ? 'record the calls with the bytes of their structs (docs/sources/ioctl-ndjson.md): iorr import calls.jsonl -o run.iorr'
      : 'ioctls are compared where their structs, descriptors and results were recorded (docs/sources/ioctl-ndjson.md); strace and tracefs show less';
  if (wanted.length === 1 && wanted[0] === 'pri')
    return 'join the trace of the kernel with the calls of the process that serves its faults: iorr import trace.txt calls.jsonl';
  if (wanted.length === 1 && wanted[0] === 'dma')
    return "translations are in an emulator's log only: iorr import qemu.log -o run.iorr";
  if (wanted.length === 1 && dma > 0)
    return "commands are compared with the unmaps that they follow: add the guest's trace, iorr import trace.txt qemu.log -o run.iorr";
  return 'import the logs of both sides of a run together: iorr import trace.txt qemu.log -o run.iorr';
}

function missingInv(trace: Trace): string {
  const { unmap, inv } = trace.streamCounts;
  if (unmap === 0) return 'inv: the trace has no unmap events, of which commands could be made';
  if (inv === 0) return 'inv: the trace has no inv events to compare with';
  return 'inv: no design makes these commands';
}

function checkInv(trace: Trace, options: VerifyOptions): VerifyPart | undefined {
  const found = verifyInv(trace, options.design === undefined ? {} : { design: options.design });
  if (found === undefined) return undefined;
  const total = { checked: 0, agreed: 0, diverged: 0 };
  for (const counts of Object.values(found.parts)) add(total, counts);
  return { kind: 'inv', counts: total, ...found };
}

/** QEMU's versions differ in one rule that a log does not name: where the first choice disagrees, the other is tried. */
function* checkDma(trace: Trace, options: VerifyOptions): Generator<number, VerifyPart | undefined> {
  if (options.hardware !== undefined) return yield* verifyDma(trace, options.hardware);
  const first = hardwareProfile('auto', trace.header);
  const part = yield* verifyDma(trace, first);
  const other = first === qemuVtd ? qemuVtd72 : first === qemuVtd72 ? qemuVtd : undefined;
  if (part === undefined || part.counts.diverged === 0 || other === undefined) return part;
  const second = yield* verifyDma(trace, other);
  if (second === undefined || second.counts.diverged >= part.counts.diverged) return part;
  const note = `chosen because it agrees better: with ${first.name} ${part.counts.diverged} diverge`;
  return { ...second, notes: [...second.notes, note] };
}

function add(total: { checked: number; agreed: number; diverged: number }, counts: VerifyCounts): void {
  total.checked += counts.checked;
  total.agreed += counts.agreed;
  total.diverged += counts.diverged;
}

function merge(parts: readonly VerifyPart[], notes: readonly string[]): VerifyResult {
  const total = { checked: 0, agreed: 0, diverged: 0 };
  const byKind: Partial<Record<VerifyKind, VerifyCounts>> = {};
  const byPart: Record<string, VerifyCounts> = {};
  const reasons: Record<string, number> = {};
  let skipped = 0;
  for (const part of parts) {
    add(total, part.counts);
    byKind[part.kind] = part.counts;
    for (const [name, counts] of Object.entries(part.parts)) if (counts.checked > 0) byPart[name] = counts;
    for (const [reason, count] of Object.entries(part.skipped)) {
      if (count === 0) continue;
      reasons[reason] = (reasons[reason] ?? 0) + count;
      skipped += count;
    }
  }
  const unknownRequests = parts.find((part) => part.unknownRequests !== undefined)?.unknownRequests;
  const divergences = parts.flatMap((part) => part.divergences).sort((a, b) => a.event - b.event);
  return {
    ...total,
    skipped: { count: skipped, reasons },
    byKind,
    byPart,
    ...(unknownRequests === undefined ? {} : { unknownRequests }),
    divergences: divergences.slice(0, LISTED),
    notes: [...parts.flatMap((part) => part.notes), ...notes],
  };
}
