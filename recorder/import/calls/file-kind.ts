/**
 * What a trace tells of a file: its kind, as far as that decides what calls on it do. Names that users gave (files, memfds,
 * other people's processes) stay behind: a trace carries no paths of the machine that made it.
 */

/** Devices whose calls a model knows or may know. */
const DEVICE =
  /^\/dev\/(?:iommu|vfio\/(?:vfio|(?:noiommu-)?\d{1,6}|devices\/vfio\d{1,6})|vhost-vdpa-\d{1,6}|vhost-\w{1,16}|kvm|udmabuf|zero|null|dma_heap\/\w{1,32})$/;
const ANONYMOUS = /^anon_inode:\[?[\w.-]{1,64}\]?$/;
/** `/proc/12/pagemap`, `/proc/self/task/12/fail-nth`, `/proc/thread-self/fail-nth`. */
const PROCESS = /^\/proc\/(self|thread-self|\d{1,10})\/(?:task\/(\d{1,10})\/)?([a-z][a-z_-]{0,31})$/;
/** Files of which it matters which thread of a process they are about. */
const OF_THREADS = 'fail-nth';
const KERNEL = /^\/(?:sys\/kernel|sys\/module\/\w{1,64}\/parameters|proc\/sys)\/[\w/.-]{1,160}$/;

/** Kept in the trace for a file that has no other kind. */
export const PLAIN_FILE = 'file';

/**
 * `/dev/iommu`, `/dev/vfio/...`, `anon_inode:[iommufd-pgfault]`, `/dmabuf:`, `/memfd:`, `/anon_hugepage`, `pipe:`, `socket:`,
 * `/proc/self/pagemap`, `/sys/kernel/...`, `/sys`; `file` for any other path, undefined for none.
 */
export function fileKind(path: string, pid: number): string | undefined {
  if (path === '') return undefined;
  if (DEVICE.test(path) || KERNEL.test(path)) return path;
  if (path.startsWith('anon_inode:')) return ANONYMOUS.test(path) ? path : 'anon_inode:';
  if (path.startsWith('/dmabuf:')) return '/dmabuf:';
  if (path.startsWith('/memfd:')) return '/memfd:';
  if (path.startsWith('/anon_hugepage')) return '/anon_hugepage';
  if (path.startsWith('pipe:')) return 'pipe:';
  if (path.startsWith('socket:')) return 'socket:';
  if (path.startsWith('/sys/')) return '/sys';
  const process = PROCESS.exec(path);
  if (process !== null) {
    const [, whose = '', task, what = ''] = process;
    if (what === OF_THREADS) {
      if (task !== undefined) return `/proc/${Number(task) === pid ? 'self' : Number(task)}/${what}`;
      if (whose === 'thread-self') return `/proc/${whose}/${what}`;
    }
    return `/proc/${whose.endsWith('self') || Number(whose) === pid ? 'self' : whose}/${what}`;
  }
  return PLAIN_FILE;
}

/** Whether what was read from or written to such a file may be kept: the kernel's own interfaces and shared memory. */
export function keepsContents(kind: string | undefined): boolean {
  return kind !== undefined && kind !== PLAIN_FILE && kind !== 'pipe:' && kind !== 'socket:' && kind !== '/sys';
}
