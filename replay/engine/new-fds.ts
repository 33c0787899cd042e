import { StructView } from '../model/iommufd/struct-view.ts';
import { newFile } from '../model/iommufd/system-calls.ts';
import type { Process } from '../model/iommufd/process.ts';

const MAP_FILE = 0x3b8f;
const TEST_CMD = 0x3ba0;
const CREATE_ACCESS = 5;
const DMABUF_GET = 22;
/** GET_DEVICE_FD; VFIO_DEVICE_FEATURE, of which only those that make a file return more than 0. */
const RETURNS_FD = new Set([0x3b6a, 0x3b75]);
/** FAULT_QUEUE_ALLOC, VEVENTQ_ALLOC: offset of the fd in the struct. */
const STRUCT_FD: ReadonlyMap<number, number> = new Map([
  [0x3b8e, 12],
  [0x3b93, 24],
]);

/** The fd of a file that a call made; undefined: it made none. `after`: the struct as the kernel left it. */
function madeFd(request: number, ret: number, after: Uint8Array | undefined): number | undefined {
  if (RETURNS_FD.has(request)) return ret > 0 ? ret : undefined;
  if (after === undefined) return undefined;
  const struct = new StructView(after);
  const at = STRUCT_FD.get(request);
  if (at !== undefined) return after.length >= at + 4 ? struct.u32(at) : undefined;
  if (request !== TEST_CMD || after.length < 20) return undefined;
  const op = struct.u32(4);
  if (op === DMABUF_GET) return ret;
  return op === CREATE_ACCESS ? struct.u32(16) : undefined;
}

/** Beyond any table of files (fs.nr_open). */
const MAX_FD = 1 << 20;

/**
 * Makes the number that a call gave the lowest free one, as it was: a recording that does not tell of all calls does not tell
 * what took those below, nor what left it. Before the model does the call.
 */
export function takeNumbersBelow(process: Process, request: number, ret: number, after: Uint8Array | undefined): void {
  const fd = madeFd(request, ret, after);
  if (fd === undefined || fd >= MAX_FD) return;
  for (let below = 0; below < fd; below++) if (!process.fds.has(below)) process.installAt(below, newFile('other'));
  process.close(fd);
}

/** Why a result can't be judged where files may come `unseen`: the call names one that nobody saw opened. */
export function unseenFile(
  unseen: boolean,
  { request, ret }: { readonly request: number; readonly ret: number },
  model: number,
): string | undefined {
  const named = unseen && request === MAP_FILE && model < 0 && ret >= 0;
  return named ? 'on a file whose opening was not recorded' : undefined;
}
