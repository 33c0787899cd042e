import { openIommufd } from '../model/iommufd/iommufd-file.ts';
import type { Machine } from '../model/iommufd/machine.ts';
import type { IommufdFile, OpenFile, Process } from '../model/iommufd/process.ts';
import { openVfio } from '../model/iommufd/vfio/open-vfio.ts';
import { unnumberedFd } from '../model/iommufd/vfio/vfio-file.ts';

/**
 * The file that an ioctl was made on. One whose opening the recording doesn't show is opened now, with a context that counts as
 * begun in the middle; of sources without fd numbers a program's first file of a kind is the one.
 */
export function fileOf(machine: Machine, process: Process, fd: number, path: string | undefined): OpenFile | undefined {
  if (fd >= 0) {
    const known = process.fds.get(fd);
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
