import type { Words } from '../../import/calls/words.ts';

/** File types of `st_mode` (include/uapi/linux/stat.h). */
const TYPE_MASK = 0o170000;
const CHARACTER_DEVICE = 0o020000;
const PIPE = 0o010000;
const SOCKET = 0o140000;

/** The text of a name that was printed as words, up to its end. */
export function textOfWords(words: readonly Words[]): string {
  let text = '';
  for (const { lo, hi } of words) {
    for (const word of [lo, hi]) {
      for (let shift = 0; shift < 32; shift += 8) {
        const byte = (word >>> shift) & 0xff;
        if (byte === 0) return text;
        text += String.fromCharCode(byte);
      }
    }
  }
  return text;
}

/**
 * The link that /proc/PID/fd would show, as far as a file's mode, its last name and its folder's tell: `/dev/iommu`, `anon_inode:[eventfd]`,
 * `socket:`, a path that is no device's; '' for an fd that is not open.
 */
export function linkOfFile(mode: number, folder: string, name: string): string {
  switch (mode & TYPE_MASK) {
    case CHARACTER_DEVICE:
      // vfio/12 and vfio/devices/vfio0; terminals are in a file system of their own.
      if (folder === '/' || folder === '') return `/dev/${name}`;
      return folder === 'devices' ? `/dev/vfio/devices/${name}` : `/dev/${folder}/${name}`;
    case PIPE:
      return 'pipe:';
    case SOCKET:
      return 'socket:';
    default:
      // The inode that all of these share has no type (fs/anon_inodes.c).
      if (name.startsWith('[')) return `anon_inode:${name}`;
      if (name.startsWith('memfd:')) return `/${name}`;
      return mode === 0 ? '' : `/${name}`;
  }
}
