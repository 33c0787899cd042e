/**
 * The `list` column of scatter-gather maps and unmaps: a count byte-string of u64 little-endian words.
 * Layout: u32 number of DMA segments D, u32 number of physical segments P, D times (dma address, size), P physical addresses.
 */
export interface SgList {
  readonly dma: readonly { readonly address: bigint; readonly size: bigint }[];
  readonly phys: readonly bigint[];
}

/** As the bytes of a `sg` column. */
export function encodeSgList(list: SgList): Uint8Array {
  const bytes = new Uint8Array(8 + list.dma.length * 16 + list.phys.length * 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, list.dma.length, true);
  view.setUint32(4, list.phys.length, true);
  let at = 8;
  for (const { address, size } of list.dma) {
    view.setBigUint64(at, BigInt.asUintN(64, address), true);
    view.setBigUint64(at + 8, BigInt.asUintN(64, size), true);
    at += 16;
  }
  for (const address of list.phys) {
    view.setBigUint64(at, BigInt.asUintN(64, address), true);
    at += 8;
  }
  return bytes;
}

/** Returns an empty list for bytes whose counts don't fit their length. */
export function decodeSgList(bytes: Uint8Array): SgList {
  if (bytes.length < 8) return { dma: [], phys: [] };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const segments = view.getUint32(0, true);
  const physical = view.getUint32(4, true);
  if (segments > bytes.length || physical > bytes.length || 8 + segments * 16 + physical * 8 !== bytes.length) {
    return { dma: [], phys: [] };
  }
  const dma = Array.from({ length: segments }, (_, i) => ({
    address: view.getBigUint64(8 + i * 16, true),
    size: view.getBigUint64(16 + i * 16, true),
  }));
  const phys = Array.from({ length: physical }, (_, i) => view.getBigUint64(8 + segments * 16 + i * 8, true));
  return { dma, phys };
}
