/** Numbers of a line by name; what a line names only by its place is named by the call's pattern. */
export type VmmFields = ReadonlyMap<string, bigint>;

/** The bytes of a struct before and after a call, as far as the line tells; undefined: it does not. */
export interface VmmStructs {
  readonly before: Uint8Array;
  readonly after: Uint8Array | undefined;
}

/** What a line of QEMU's log says that QEMU asked the kernel. */
export interface VmmCall {
  readonly what: 'ioctl' | 'open' | 'close';
  readonly request: number;
  /** Field with the fd that it was asked of. */
  readonly fdField: string;
  /** Fields without which the line is malformed. */
  readonly needs: readonly string[];
  /** Named groups are fields that stand in the line without a name. */
  readonly pattern?: RegExp;
  /** Why the call failed if it did, where the line's name says so. */
  readonly errno?: number;
  readonly structs: (fields: VmmFields) => VmmStructs;
}

type Part = readonly [bytes: 2 | 4 | 8, value: string | number];

/** A struct from its fields in order: names are looked up, numbers stand for themselves. */
function struct(fields: VmmFields, parts: readonly Part[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, [size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of parts) {
    const number = typeof value === 'number' ? BigInt(value) : (fields.get(value) ?? 0n);
    if (size === 2) view.setUint16(at, Number(BigInt.asUintN(16, number)), true);
    else if (size === 4) view.setUint32(at, Number(BigInt.asUintN(32, number)), true);
    else view.setBigUint64(at, BigInt.asUintN(64, number), true);
    at += size;
  }
  return bytes;
}

interface IoctlShape {
  readonly request: number;
  readonly parts: readonly Part[];
  /** The same after the call; left out where it does not change, null where the line does not tell. */
  readonly result?: readonly Part[] | null;
  readonly fdField?: string;
  readonly pattern?: RegExp;
  readonly errno?: number;
  /** Fields that follow from others. */
  readonly derive?: (fields: VmmFields) => readonly (readonly [string, bigint])[];
}

function ioctl(shape: IoctlShape): VmmCall {
  const { request, parts, result = parts, fdField = 'iommufd', pattern, errno, derive } = shape;
  const derived = new Set(derive?.(new Map()).map(([name]) => name));
  const named = [...parts, ...(result ?? [])].map(([, value]) => value).filter((value) => typeof value === 'string');
  return {
    what: 'ioctl',
    request,
    fdField,
    needs: [fdField, ...named.filter((name) => !derived.has(name))],
    ...(pattern === undefined ? {} : { pattern }),
    ...(errno === undefined ? {} : { errno }),
    structs: (given) => {
      const fields = derive === undefined ? given : new Map([...given, ...derive(given)]);
      return { before: struct(fields, parts), after: result === null ? undefined : struct(fields, result) };
    },
  };
}

const FIXED_IOVA = 1n;
const WRITEABLE = 2n;
const READABLE = 4n;
const ENOENT = 2;

/** QEMU maps at the guest's addresses, for reading, and for writing unless it is read-only (backends/iommufd.c). */
function mapFlags(fields: VmmFields): readonly (readonly [string, bigint])[] {
  return [['mapFlags', FIXED_IOVA | READABLE | (fields.get('readonly') === 0n ? WRITEABLE : 0n)]];
}

const UNMAP: readonly Part[] = [
  [4, 24],
  [4, 'ioas'],
  [8, 'iova'],
  [8, 'size'],
];

function opened(needs: readonly string[], pattern?: RegExp): VmmCall {
  const structs = (): VmmStructs => ({ before: new Uint8Array(0), after: undefined });
  return { what: 'open', request: 0, fdField: 'fd', needs, ...(pattern === undefined ? {} : { pattern }), structs };
}

/**
 * Calls by the name of their line (backends/trace-events, hw/vfio/trace-events of QEMU 9 to 11). Structs as in
 * include/uapi/linux/iommufd.h and vfio.h.
 */
export const VMM_CALLS: ReadonlyMap<string, VmmCall> = new Map<string, VmmCall>([
  ['iommufd_backend_connect', opened(['fd'])],
  ['iommu_backend_set_fd', opened(['fd'])],
  ['iommufd_backend_disconnect', { ...opened(['fd', 'users']), what: 'close' }],
  // /dev/vfio/devices/vfio0 (fd=11)
  ['iommufd_cdev_getfd', opened(['fd'], /^\/dev\/\S+ \(fd=\d+\)$/)],
  [
    'iommufd_cdev_connect_and_bind',
    ioctl({
      request: 0x3b76,
      fdField: 'fd',
      parts: [
        [4, 16],
        [4, 0],
        [4, 'iommufd'],
        [4, 0],
      ],
      result: [
        [4, 16],
        [4, 0],
        [4, 'iommufd'],
        [4, 'devid'],
      ],
    }),
  ],
  ...['iommufd_cdev_pasid_attach_ioas_hwpt', 'iommufd_cdev_attach_ioas_hwpt'].map((name): [string, VmmCall] => [
    name,
    ioctl({
      request: 0x3b77,
      fdField: 'device',
      parts: [
        [4, 16],
        [4, 'attachFlags'],
        [4, 'id'],
        [4, 'pasid'],
      ],
      // An IOAS is replaced by the page table that the kernel made for it.
      result: null,
      // [iommufd=10] Successfully attached device 0000:00:04.0 (11) pasid 0 to id=3
      pattern: /device \S+ \((?<device>\d+)\)(?: pasid (?<pasid>\d+))? to id=\d+$/,
      derive: (fields) => {
        const pasid = fields.get('pasid') ?? 0n;
        return [
          ['attachFlags', pasid === 0n ? 0n : 1n],
          ['pasid', pasid],
        ];
      },
    }),
  ]),
  [
    'iommufd_backend_alloc_ioas',
    ioctl({
      request: 0x3b81,
      parts: [
        [4, 12],
        [4, 0],
        [4, 0],
      ],
      result: [
        [4, 12],
        [4, 0],
        [4, 'ioas'],
      ],
    }),
  ],
  [
    'iommufd_backend_map_dma',
    ioctl({
      request: 0x3b85,
      parts: [
        [4, 40],
        [4, 'mapFlags'],
        [4, 'ioas'],
        [4, 0],
        [8, 'addr'],
        [8, 'size'],
        [8, 'iova'],
      ],
      derive: mapFlags,
    }),
  ],
  [
    'iommufd_backend_map_file_dma',
    ioctl({
      request: 0x3b8f,
      parts: [
        [4, 40],
        [4, 'mapFlags'],
        [4, 'ioas'],
        [4, 'fd'],
        [8, 'start'],
        [8, 'size'],
        [8, 'iova'],
      ],
      derive: mapFlags,
    }),
  ],
  ['iommufd_backend_unmap_dma', ioctl({ request: 0x3b86, parts: UNMAP, result: null })],
  ['iommufd_backend_unmap_dma_non_exist', ioctl({ request: 0x3b86, parts: UNMAP, errno: ENOENT })],
  [
    'iommufd_backend_alloc_hwpt',
    ioctl({
      request: 0x3b89,
      parts: [
        [4, 48],
        [4, 'flags'],
        [4, 'dev_id'],
        [4, 'pt_id'],
        [4, 0],
        [4, 0],
        [4, 'hwpt_type'],
        [4, 'len'],
        [8, 'data_ptr'],
        [8, 0],
      ],
      result: [
        [4, 48],
        [4, 'flags'],
        [4, 'dev_id'],
        [4, 'pt_id'],
        [4, 'out_hwpt'],
        [4, 0],
        [4, 'hwpt_type'],
        [4, 'len'],
        [8, 'data_ptr'],
        [8, 0],
      ],
    }),
  ],
  [
    'iommufd_backend_free_id',
    ioctl({
      request: 0x3b80,
      parts: [
        [4, 8],
        [4, 'id'],
      ],
    }),
  ],
  [
    'iommufd_backend_set_dirty',
    ioctl({
      request: 0x3b8b,
      parts: [
        [4, 16],
        [4, 'enable'],
        [4, 'hwpt'],
        [4, 0],
      ],
    }),
  ],
  [
    'iommufd_backend_get_dirty_bitmap',
    ioctl({
      request: 0x3b8c,
      parts: [
        [4, 48],
        [4, 'hwpt'],
        [4, 'flags'],
        [4, 0],
        [8, 'iova'],
        [8, 'size'],
        [8, 'page_size'],
        [8, 0],
      ],
    }),
  ],
  [
    'iommufd_backend_invalidate_cache',
    ioctl({
      request: 0x3b8d,
      parts: [
        [4, 32],
        [4, 'id'],
        [8, 'data_ptr'],
        [4, 'data_type'],
        [4, 'entry_len'],
        [4, 'entry_num'],
        [4, 0],
      ],
      result: [
        [4, 32],
        [4, 'id'],
        [8, 'data_ptr'],
        [4, 'data_type'],
        [4, 'entry_len'],
        [4, 'done_num'],
        [4, 0],
      ],
    }),
  ],
  [
    'iommufd_backend_alloc_viommu',
    ioctl({
      request: 0x3b90,
      parts: [
        [4, 24],
        [4, 0],
        [4, 'type'],
        [4, 'dev_id'],
        [4, 'hwpt_id'],
        [4, 0],
      ],
      result: [
        [4, 24],
        [4, 0],
        [4, 'type'],
        [4, 'dev_id'],
        [4, 'hwpt_id'],
        [4, 'viommu_id'],
      ],
    }),
  ],
  [
    'iommufd_backend_alloc_vdev',
    ioctl({
      request: 0x3b91,
      parts: [
        [4, 24],
        [4, 'viommu_id'],
        [4, 'dev_id'],
        [4, 0],
        [8, 'virt_id'],
      ],
      result: [
        [4, 24],
        [4, 'viommu_id'],
        [4, 'dev_id'],
        [4, 'vdev_id'],
        [8, 'virt_id'],
      ],
    }),
  ],
]);
