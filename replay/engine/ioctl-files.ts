import { VFIO_DEVICE_FILE, isVfioDevice } from '../../traces/ioctl-requests.ts';
import { openIommufd } from '../model/iommufd/iommufd-file.ts';
import type { Machine } from '../model/iommufd/machine.ts';
import type { IommufdFile, OpenFile, Process } from '../model/iommufd/process.ts';
import { openVfio } from '../model/iommufd/vfio/open-vfio.ts';
import { unnumberedFd } from '../model/iommufd/vfio/vfio-file.ts';

/**
 * The file that an ioctl was made on. One whose opening the recording doesn't show is opened now, with a context that counts as
 * begun in the middle; of sources without fd numbers a program's first file of a kind is the one. `threads`: a process may be a
 * thread of another.
 */
export function fileOf(
  machine: Machine,
  process: Process,
  fd: number,
  path: string | undefined,
  threads = false,
): OpenFile | undefined {
  if (fd >= 0) {
    const own = process.fds.get(fd);
    const elsewhere = threads && (own === undefined || own.kind === 'other');
    const known = (elsewhere ? sharedFile(machine, process, fd, path) : undefined) ?? own;
    if (known?.kind === 'iommufd' || path !== '/dev/iommu') return known;
    const file = openIommufd(machine);
    file.context.partial = true;
    process.installAt(fd, file);
    return file;
  }
  const file: OpenFile | IommufdFile | undefined =
    path === '/dev/iommu' ? openIommufd(machine) : openVfio(machine, path);
  if (file === undefined) return undefined;
  const number = unnumberedFd(file.kind);
  const known = process.fds.get(number);
  if (known !== undefined) return known;
  process.installAt(number, file);
  return file;
}

/** The file that another process has under the same number, if it is what the path says: one of the two is a thread of the other. */
function sharedFile({ processes }: Machine, process: Process, fd: number, path: string | undefined) {
  for (const { fds } of processes.values()) {
    const file = fds.get(fd);
    if (file === undefined || !fits(file.kind, path)) continue;
    process.installAt(fd, file);
    return file;
  }
  return undefined;
}

function fits(kind: OpenFile['kind'], path: string | undefined): boolean {
  if (path === undefined) return false;
  if (path === '/dev/iommu') return kind === 'iommufd';
  if (path === '/dev/vfio/vfio') return kind === 'vfioContainer' || kind === 'iommufd';
  return kind === (isVfioDevice(path) || path === VFIO_DEVICE_FILE ? 'vfioDevice' : 'vfioGroup');
}

/** Whether the argument is the address of a struct; of few calls of VFIO it is a number or a name. */
export function takesStruct(request: number, file: OpenFile['kind']): boolean {
  if (file === 'iommufd' && (request & 0xff) >= 0x80) return true;
  if (request >>> 8 !== 0x3b) return false;
  if (file === 'vfioDevice') return request !== 0x3b6f;
  if (request === 0x3b73 || request === 0x3b74) return false;
  return request === 0x3b67 || request === 0x3b68 || request >= 0x3b70;
}
