import { ERRNO } from './errno.ts';
import type { InvalidateRequest } from './parts.ts';

const NO_TAIL = new Uint8Array(0);

/**
 * Entry `index` as the kernel's struct of `size` bytes, or a negative errno: no longer than that struct, no shorter than
 * `minimum` (iommu_copy_struct_from_user_array). The type was checked before.
 */
export function entryAt(request: InvalidateRequest, index: number, minimum: number, size: number): Uint8Array | number {
  const { entryLength } = request;
  if (entryLength < minimum || entryLength > size) return -ERRNO.EINVAL;
  const bytes = request.readBytes(request.address + BigInt(index) * BigInt(entryLength), entryLength);
  if (bytes === undefined) return -ERRNO.EFAULT;
  const entry = new Uint8Array(size);
  entry.set(bytes);
  return entry;
}

/**
 * All entries, each `size` bytes, or a negative errno (iommu_copy_struct_from_full_user_array): a shorter entry is extended
 * by zeros, a longer one must end in zeros. An empty array is EINVAL.
 */
export function allEntries(request: InvalidateRequest, size: number): Uint8Array[] | number {
  const { entryLength, count, address } = request;
  if (count === 0) return -ERRNO.EINVAL;
  if (entryLength === size) {
    const bytes = request.readBytes(address, count * size);
    if (bytes === undefined) return -ERRNO.EFAULT;
    return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
  }
  const entries: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const at = address + BigInt(i) * BigInt(entryLength);
    // The tail is looked at first: where it lies in another page, it decides.
    const tail = entryLength > size ? request.readBytes(at + BigInt(size), entryLength - size) : NO_TAIL;
    if (tail?.some((byte) => byte !== 0) === true) return -ERRNO.E2BIG;
    const bytes = tail === undefined ? undefined : request.readBytes(at, Math.min(entryLength, size));
    if (bytes === undefined) return -ERRNO.EFAULT;
    const entry = new Uint8Array(size);
    entry.set(bytes);
    entries.push(entry);
  }
  return entries;
}
