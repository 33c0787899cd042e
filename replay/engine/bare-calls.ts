import { SEEN } from '../../traces/schema.ts';
import type { Trace } from '../../traces/trace.ts';
import { ERRNO } from '../model/iommufd/errno.ts';
import { iommufdIoctls } from '../model/iommufd/families.ts';
import { runIoctl } from '../model/iommufd/ioctl.ts';
import type { Machine } from '../model/iommufd/machine.ts';
import type { ObjectTypes } from '../model/iommufd/objects.ts';
import type { IommufdFile, OpenFile, Process } from '../model/iommufd/process.ts';
import { Unjudged } from '../model/iommufd/unjudged.ts';
import { vfioCompat } from '../model/iommufd/vfio/compat.ts';
import { VfioContainer } from '../model/iommufd/vfio/container.ts';
import { VfioDevice } from '../model/iommufd/vfio/device.ts';
import { VFIO } from '../model/iommufd/vfio/requests.ts';
import { isVfioFile } from '../model/iommufd/vfio/vfio-file.ts';
import { UNKNOWN_EFFECT } from './ioctl-doubts.ts';

/**
 * Tells of which processes a trace has ioctls and the struct of none: from a trace of system calls (strace), where a thread has a
 * number of its own and may use files that another number opened.
 */
export function withoutStructs(trace: Trace): (pid: number) => boolean {
  const shown = new Set<number>();
  for (const { rows } of trace.segments({ columns: { ioctl: ['pid', 'seen'] }, reuse: true })) {
    const { columns, count } = rows.ioctl;
    for (let i = 0; i < count; i++) {
      if (((columns.seen[i] ?? 0) & (SEEN.before | SEEN.unreadable)) !== 0) shown.add(columns.pid[i] ?? -1);
    }
  }
  return (pid) => !shown.has(pid);
}

/** A call of which the struct is not known. `ret` negative: an errno. */
export interface BareCall {
  readonly machine: Machine;
  readonly process: Process;
  readonly file: OpenFile;
  readonly request: number;
  readonly argument: number;
  readonly ret: number;
}

/** `expected`: what it could have returned; `skipped`: why that can't be told. */
export type BareVerdict = { readonly agrees: boolean; readonly expected: string } | { readonly skipped: string };

/** What must have been made before a request can succeed. */
type Need = 'ioas' | 'device' | 'viommu' | undefined;

interface Rule {
  readonly needs: Need;
  /** Errnos besides those of every request; undefined: drivers give their own. */
  readonly errnos: readonly number[] | undefined;
}

/** The struct's copy, its flags, the kernel's memory. */
const EVERY: readonly number[] = [ERRNO.EFAULT, ERRNO.EINVAL, ERRNO.E2BIG, ERRNO.EOPNOTSUPP, ERRNO.ENOMEM];
const PLACES: readonly number[] = [ERRNO.ENOENT, ERRNO.EOVERFLOW, ERRNO.EEXIST, ERRNO.ENOSPC];

const rule = (needs: Need, errnos?: readonly number[]): Rule => ({ needs, errnos });

/** Requests of an iommufd (drivers/iommu/iommufd/main.c, iommufd_ioctl_ops), and what they can return. */
const RULES: ReadonlyMap<number, Rule> = new Map([
  [0x3b80, rule(undefined, [ERRNO.ENOENT, ERRNO.EBUSY])],
  [0x3b81, rule(undefined, [])],
  [0x3b82, rule('ioas', [ERRNO.ENOENT, ERRNO.EADDRINUSE])],
  [0x3b83, rule('ioas', [...PLACES, ERRNO.EPERM])],
  [0x3b84, rule('ioas', [ERRNO.ENOENT, ERRNO.EMSGSIZE])],
  [0x3b85, rule('ioas', [...PLACES, ERRNO.EPERM])],
  [0x3b86, rule('ioas', [ERRNO.ENOENT, ERRNO.EOVERFLOW, ERRNO.EBUSY, ERRNO.EDEADLK])],
  [0x3b87, rule(undefined, [ERRNO.ENOENT, ERRNO.EPERM, ERRNO.EADDRINUSE])],
  [0x3b88, rule(undefined, [ERRNO.ENOENT, ERRNO.ENODEV])],
  [0x3b89, rule('device')],
  [0x3b8a, rule('device')],
  [0x3b8b, rule('device')],
  [0x3b8c, rule('device')],
  [0x3b8d, rule('device')],
  [0x3b8e, rule(undefined)],
  [0x3b8f, rule('ioas')],
  [0x3b90, rule('device')],
  [0x3b91, rule('viommu')],
  [0x3b92, rule(undefined, [])],
  [0x3b93, rule('viommu')],
  [0x3b94, rule('viommu')],
]);

/** BIND_IOMMUFD, SET_CONTAINER. */
const CONNECTS: ReadonlySet<number> = new Set([VFIO.bindIommufd, VFIO.groupSetContainer]);
const IOAS_ALLOC = 0x3b81;
const VIOMMU_ALLOC = 0x3b90;
const TEST_CMD = 0x3ba0;
const DEVICE_ANSWERS = 'only the device can answer';
const DRIVER_ANSWERS = 'contents of the struct not recorded';
const BEFORE = 'objects from before the recording';
const LOST = 'follows lost events';
const SUCCESS: BareVerdict = { agrees: true, expected: '0' };

/**
 * Judges calls by their files and results alone: requests that exist, errnos that they can have, successes that need something
 * which earlier calls made. Objects are taken as never destroyed, for nobody knows which were.
 */
export class BareCalls {
  /** Files of IOMMUFD on which a vIOMMU was made. */
  readonly #viommus = new WeakSet<OpenFile>();
  /** Why what nobody saw made may have been. */
  #unsure: string | undefined = undefined;
  judged = 0;

  lost(): void {
    this.#unsure = LOST;
  }

  judge(call: BareCall): BareVerdict {
    const verdict = this.#judge(call);
    if ('agrees' in verdict) this.judged++;
    return verdict;
  }

  #judge(call: BareCall): BareVerdict {
    const { file, request, ret } = call;
    const struct = inferredStruct(call);
    if (struct !== undefined && ret >= 0 && runOn(call, struct) === ret) return { agrees: true, expected: String(ret) };
    // What was inferred may be wrong; what the kernel did is certain, and of what follows the model knows too little.
    if (ret >= 0 && CONNECTS.has(request) && isVfioFile(file)) this.#unsure ??= UNKNOWN_EFFECT;
    if (file instanceof VfioDevice) return this.#device(call, file);
    if (file.kind === 'iommufd' && (request & 0xff) >= 0x80) return this.#iommufd(call, file as IommufdFile);
    if (file instanceof VfioContainer) {
      if (request === VFIO.groupSetContainer || ret < 0) return { skipped: DRIVER_ANSWERS };
      if (file.typed) return { agrees: ret === 0, expected: '0' };
      return this.#unsure !== undefined
        ? { skipped: this.#unsure }
        : { agrees: false, expected: 'EINVAL: no IOMMU type was set' };
    }
    if (file.kind === 'vfioGroup' && request === VFIO.groupGetStatus) return among(ret, EVERY);
    return { skipped: DRIVER_ANSWERS };
  }

  #iommufd({ request, ret }: BareCall, file: IommufdFile): BareVerdict {
    if (request === TEST_CMD) return { skipped: DRIVER_ANSWERS };
    const found = RULES.get(request);
    if (found === undefined) return { agrees: ret === -ERRNO.ENOTTY, expected: 'ENOTTY' };
    if (ret === 0) {
      if (request === VIOMMU_ALLOC) this.#viommus.add(file);
      const { needs } = found;
      if (needs === undefined || this.#made(needs, file)) return SUCCESS;
      // Nobody saw whether it was.
      if (file.context.partial) return { skipped: BEFORE };
      return this.#unsure !== undefined
        ? { skipped: this.#unsure }
        : { agrees: false, expected: `ENOENT: no ${needs} was made` };
    }
    if (found.errnos === undefined) return ret < 0 ? { skipped: DRIVER_ANSWERS } : { agrees: false, expected: '0' };
    return among(ret, [...EVERY, ...found.errnos]);
  }

  #made(needs: keyof ObjectTypes, file: IommufdFile): boolean {
    if (needs === 'viommu') return this.#viommus.has(file);
    for (const object of file.context.objects.values()) if (object.type === needs) return true;
    return false;
  }

  #device({ machine, request, ret }: BareCall, file: VfioDevice): BareVerdict {
    if (request === VFIO.bindIommufd) return { skipped: DRIVER_ANSWERS };
    if (!file.isOpen) {
      if (ret === -ERRNO.EINVAL) return { agrees: true, expected: 'EINVAL' };
      return this.#unsure !== undefined
        ? { skipped: this.#unsure }
        : { agrees: false, expected: 'EINVAL: the device is not bound' };
    }
    if (ret < 0) return { skipped: DEVICE_ANSWERS };
    const files = [...iommufdsOf(machine)];
    if (request !== VFIO.attachIommufdPt || files.some((each) => this.#made('ioas', each))) return SUCCESS;
    if (files.some(({ context }) => context.partial)) return { skipped: BEFORE };
    return this.#unsure !== undefined
      ? { skipped: this.#unsure }
      : { agrees: false, expected: 'ENOENT: no IOAS was made' };
  }
}

function among(ret: number, errnos: readonly number[]): BareVerdict {
  return { agrees: ret === 0 || errnos.includes(-ret), expected: '0, or an errno that the request can have' };
}

function iommufdsOf({ processes }: Machine): ReadonlySet<IommufdFile> {
  const files = new Set<IommufdFile>();
  for (const { fds } of processes.values())
    for (const file of fds.values()) if (file.kind === 'iommufd') files.add(file as IommufdFile);
  return files;
}

/**
 * A struct of which all is known that matters: IOAS_ALLOC has nothing in it; SET_CONTAINER and BIND_IOMMUFD name a file, and there
 * is but one of its kind.
 */
function inferredStruct({ process, file, request }: BareCall): Uint8Array | undefined {
  if (file.kind === 'iommufd' && request === IOAS_ALLOC) return wordsOf(12, 0, 0);
  if (file.kind === 'vfioDevice' && request === VFIO.bindIommufd) {
    const fd = onlyFd(process, (kind) => kind === 'iommufd');
    return fd === undefined ? undefined : wordsOf(16, 0, fd, 0);
  }
  if (file.kind === 'vfioGroup' && request === VFIO.groupSetContainer) {
    const fd = onlyFd(process, (kind) => kind === 'vfioContainer' || kind === 'iommufd');
    return fd === undefined ? undefined : wordsOf(fd);
  }
  return undefined;
}

function onlyFd({ fds }: Process, fits: (kind: OpenFile['kind']) => boolean): number | undefined {
  const found = [...fds].filter(([, file]) => fits(file.kind));
  return new Set(found.map(([, file]) => file)).size === 1 ? found[0]?.[0] : undefined;
}

function wordsOf(...words: readonly number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(words).buffer);
}

/** What the model returns; undefined: it can't tell, and did what the kernel did. */
function runOn({ machine, process, file, request, argument, ret }: BareCall, bytes: Uint8Array): number | undefined {
  const { memory } = process;
  memory.begin([{ address: argument, bytes, after: undefined, unknown: false }]);
  try {
    if (isVfioFile(file)) return file.ioctl({ machine, process, request, argument: BigInt(argument) });
    return runIoctl(iommufdIoctls, vfioCompat, (file as IommufdFile).context, process, request, BigInt(argument));
  } catch (error) {
    if (!(error instanceof Unjudged)) throw error;
    error.effect?.(ret);
    return undefined;
  } finally {
    memory.end();
  }
}
