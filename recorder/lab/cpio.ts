/** What goes into an initramfs (Documentation/driver-api/early-userspace/buffer-format.rst, format "newc"). */
export type CpioEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'file'; readonly path: string; readonly executable: boolean; readonly content: Uint8Array };

const MODE = { folder: 0o040755, link: 0o120777, file: 0o100644 } as const;
const EXECUTABLE = 0o111;
const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';
/** Names and contents begin at multiples of it. */
const ALIGNMENT = 4;
const MAX_SIZE = 0xffffffff;

function padding(length: number): Uint8Array {
  return new Uint8Array((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);
}

/** The header's 13 fields in its order, each of 8 hex digits, then the name with its NUL, padded. */
function header(path: string, inode: number, mode: number, links: number, size: number): readonly Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name.length, 0];
  const digits = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  const text = Buffer.from(MAGIC + digits);
  return [text, name, padding(text.length + name.length)];
}

/**
 * Bytes of an archive, in pieces. Paths are relative to the root; folders must come before what is in them. Throws `RangeError`
 * for a file that has no room in the format (4 GiB).
 */
export function* cpioArchive(entries: Iterable<CpioEntry>): Generator<Uint8Array> {
  let inode = 0;
  for (const entry of entries) {
    inode += 1;
    const content = contentOf(entry);
    if (content.length > MAX_SIZE) throw new RangeError(`${entry.path}: ${content.length} bytes, at most ${MAX_SIZE}`);
    const executable = entry.kind === 'file' && entry.executable ? EXECUTABLE : 0;
    yield* header(entry.path, inode, MODE[entry.kind] | executable, entry.kind === 'folder' ? 2 : 1, content.length);
    yield content;
    yield padding(content.length);
  }
  yield* header(TRAILER, 0, 0, 1, 0);
}

function contentOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === 'file') return entry.content;
  return entry.kind === 'link' ? Buffer.from(entry.target) : new Uint8Array(0);
}
