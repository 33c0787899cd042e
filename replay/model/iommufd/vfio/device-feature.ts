import { Backing, PAGE_SIZE } from '../backing.ts';
import { DmaBuffer } from '../dma-buffer.ts';
import { ERRNO } from '../errno.ts';
import type { DmabufFile } from '../file-pages.ts';
import { StructView } from '../struct-view.ts';
import { Unjudged } from '../unjudged.ts';
import type { DeviceNode } from './device-node.ts';
import { regionSize } from './hardware.ts';
import { readArgsz } from './user-struct.ts';
import type { VfioCall } from './vfio-file.ts';

/** struct vfio_device_feature {u32 argsz, u32 flags}, and what DMA_BUF has behind it. */
const HEAD_BYTES = 8;
const DMA_BUF_BYTES = 16;
const RANGE_BYTES = 16;
const FEATURE_MASK = 0xffff;
const FLAG = { get: 0x1_0000, set: 0x2_0000, probe: 0x4_0000 } as const;
const DMA_BUF = 11;
/** BARs come before the expansion ROM (VFIO_PCI_ROM_REGION_INDEX). */
const ROM_REGION = 6;
const O_CLOEXEC = 0o2000000;
/** More ranges are in no recording. */
const MAX_RANGES = 4096;

/** VFIO_DEVICE_FEATURE (drivers/vfio/vfio_main.c). What most features answer only the device knows. */
export function deviceFeature(call: VfioCall, node: DeviceNode): number {
  const head = readArgsz(call.process, call.argument, HEAD_BYTES);
  if (typeof head === 'number') return head;
  const flags = head.u32(4);
  const { get, set, probe } = FLAG;
  if ((flags & ~(FEATURE_MASK | get | set | probe)) !== 0) return -ERRNO.EINVAL;
  if ((flags & probe) === 0 && (flags & get) !== 0 && (flags & set) !== 0) return -ERRNO.EINVAL;
  if ((flags & FEATURE_MASK) !== DMA_BUF) throw new Unjudged('only the device can answer');
  return dmaBuf(call, node, flags, head.u32(0) - HEAD_BYTES);
}

/**
 * A dma-buf of a BAR's memory {u32 region, u32 open_flags, u32 flags, u32 nr_ranges, {u64 offset, u64 length}[]}: the new fd
 * (drivers/vfio/pci/vfio_pci_dmabuf.c). One range can be mapped by an iommufd, several can't.
 */
function dmaBuf({ machine, process, argument }: VfioCall, node: DeviceNode, flags: number, room: number): number {
  const { dmaBufs } = machine.hardware;
  if (dmaBufs === undefined) throw new Unjudged('whether the device gives dma-bufs is not known');
  if (dmaBufs < 0) return dmaBufs;
  if ((flags & FLAG.set) !== 0) return -ERRNO.EINVAL;
  if ((flags & FLAG.probe) !== 0) return 0;
  if ((flags & FLAG.get) === 0 || room < DMA_BUF_BYTES) return -ERRNO.EINVAL;
  const bytes = process.memory.read(argument + BigInt(HEAD_BYTES), DMA_BUF_BYTES);
  if (bytes === undefined) return -ERRNO.EFAULT;
  const request = new StructView(bytes);
  const [region, openFlags, count] = [request.u32(0), request.u32(4), request.u32(12)];
  if (count === 0 || request.u32(8) !== 0) return -ERRNO.EINVAL;
  if (region >= ROM_REGION) return -ERRNO.ENODEV;
  if (count > MAX_RANGES) throw new Unjudged('a dma-buf of more ranges than recordings hold');
  const ranges = process.memory.read(argument + BigInt(HEAD_BYTES + DMA_BUF_BYTES), count * RANGE_BYTES);
  if (ranges === undefined) return -ERRNO.EFAULT;
  const size = totalSize(new StructView(ranges), count, regionSize(machine.hardware, region));
  if (size < 0) return size;
  const backing = new Backing(size);
  backing.deviceMemory = true;
  const state = new DmaBuffer();
  const file: DmabufFile = {
    kind: 'dmabuf',
    refs: 0,
    backing,
    size,
    state,
    importable: count === 1,
    release: () => undefined,
  };
  const fd = process.install(file);
  if ((openFlags & O_CLOEXEC) !== 0) process.cloexec.add(fd);
  node.buffers.add(state);
  return fd;
}

/** Bytes of all ranges together, or a negative errno: each in whole pages, and inside the region where its size is known. */
function totalSize(ranges: StructView, count: number, region: bigint | undefined): number {
  const mask = BigInt(PAGE_SIZE - 1);
  let sum = 0n;
  for (let i = 0; i < count; i++) {
    const length = ranges.u64(i * RANGE_BYTES + 8);
    if (length === 0n || ((ranges.u64(i * RANGE_BYTES) | length) & mask) !== 0n) return -ERRNO.EINVAL;
    sum += length;
  }
  if (sum >= 1n << 63n) return -ERRNO.EINVAL;
  for (let i = 0; i < count; i++) {
    const end = ranges.u64(i * RANGE_BYTES) + ranges.u64(i * RANGE_BYTES + 8);
    if (end >= 1n << 64n) return -ERRNO.EOVERFLOW;
    if (region !== undefined && end > region) return -ERRNO.EINVAL;
  }
  return Number(sum);
}
