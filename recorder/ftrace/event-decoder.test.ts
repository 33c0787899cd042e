import { describe, expect, test } from 'vitest';
import { plainEvents } from '../../traces/event.ts';
import type { PlainEvent } from '../../traces/event.ts';
import { Health } from '../../traces/health.ts';
import type { HealthReport } from '../../traces/health.ts';
import { MemoryTrace } from '../../traces/memory-trace.ts';
import { ftraceText } from '../import/ftrace-text.ts';
import { EventDecoder } from './event-decoder.ts';
import type { EventFormat } from './event-format.ts';
import { EventOutput } from './event-output.ts';
import { DMA_CONVERTERS } from './events/dma.ts';
import { INTEL_IOMMU_CONVERTERS } from './events/intel-iommu.ts';
import { IOMMU_CONVERTERS } from './events/iommu.ts';
import { DEFAULT_LAYOUT, SubBufferReader } from './ring-buffer.ts';
import { makeFormat, makeRecord } from '../../bench/records/record-builder.ts';
import type { FieldValue } from '../../bench/records/record-builder.ts';
import { SubBufferWriter } from '../../bench/records/sub-buffer-writer.ts';

interface Decoded {
  readonly events: readonly PlainEvent[];
  readonly health: HealthReport;
  readonly folded: number;
}

function makeSink(): MemoryTrace {
  const { source, host, clock, fidelity } = ftraceText.describe(new Uint8Array(0));
  return new MemoryTrace({
    formatVersion: 1,
    tool: 'iorr',
    toolVersion: 'test',
    sources: [source],
    host,
    clock,
    fidelity,
  });
}

function eventsOf(sink: MemoryTrace): PlainEvent[] {
  return [...sink.segments()].flatMap((segment) => [...plainEvents(segment, sink.strings)]);
}

/** Decodes records of one CPU; the i-th has time i + 1 us. */
function decode(
  formats: readonly EventFormat[],
  records: readonly Uint8Array[],
  { littleEndian = true, machine = 'x86_64' as const } = {},
): Decoded {
  const sink = makeSink();
  const health = new Health();
  const output = new EventOutput(sink, health, 't', 0);
  const decoder = new EventDecoder(formats, output, { littleEndian, machine });
  const written = records.map((record, i) => ({ time: BigInt(i + 1) * 1000n, record }));
  const bytes = new SubBufferWriter({ littleEndian }).write(written);
  const reader = new SubBufferReader({ ...DEFAULT_LAYOUT, littleEndian });
  for (let at = 0; at < bytes.length; at += DEFAULT_LAYOUT.bytes) {
    expect(reader.open(bytes, at, at + DEFAULT_LAYOUT.bytes)).toBe(true);
    while (reader.next()) decoder.decode(reader, reader.time, 3);
  }
  decoder.finish();
  return { events: eventsOf(sink), health: health.report(), folded: output.syscalls.folded };
}

/** What the text importer makes of the same event. */
function parse(text: string): readonly PlainEvent[] {
  const sink = makeSink();
  const header = ftraceText.describe(new Uint8Array(0));
  const run = ftraceText.create({ sink, health: new Health(), file: 't', header });
  run.push(Buffer.from(`task-9 [003] ..... 0.000001: ${text}\n`));
  run.end();
  return eventsOf(sink);
}

const ATTRS =
  '"%s", __print_flags(REC->attrs, "|", { (1UL << 1), "WEAK_ORDERING" }, { (1UL << 5), "SKIP_CPU_SYNC" }, { 0x100, "NO_WARN" })';
const TAG = ['__data_loc char[] iommu', '__data_loc char[] dev', 'u16 type', 'u16 domain_id', 'u32 pasid', 'u32 users'];
const FLUSH = [
  ...TAG.slice(0, 5),
  'unsigned long start',
  'unsigned long end',
  'unsigned long addr',
  'unsigned long mask',
];
const MAP = [
  '__data_loc char[] device',
  'u64 phys_addr',
  'u64 dma_addr',
  'size_t size',
  'enum dma_data_direction dir',
  'unsigned long attrs',
];
const ALLOC = [
  '__data_loc char[] device',
  'void *virt_addr',
  'u64 dma_addr',
  'size_t size',
  'gfp_t flags',
  'enum dma_data_direction dir',
  'unsigned long attrs',
];
const SGT = [
  '__data_loc char[] device',
  '__data_loc u64[] phys_addrs',
  'u64 dma_addr',
  'size_t size',
  'enum dma_data_direction dir',
  'unsigned long attrs',
];
const PRQ = [
  'u64 dw0',
  'u64 dw1',
  'u64 dw2',
  'u64 dw3',
  'unsigned long seq',
  '__data_loc char[] iommu',
  '__data_loc char[] dev',
  '__data_loc char[] buff',
];

const DEVICE = '0000:01:00.0';
const SG = {
  device: DEVICE,
  dir: 2,
  attrs: 0x120n,
  dma_addrs: [0xfff80000n, 0x1_0000_0000n],
  lengths: [0x20000n, 0x1000n],
  phys_addrs: [0x1_11ea_3000n, 0x1093d000n, 0x8000_0000_0000_0000n],
};
const SG_FIELDS = [
  '__data_loc char[] device',
  'int full_nents',
  'int full_ents',
  'bool truncated',
  '__data_loc u64[] phys_addrs',
  '__data_loc u64[] dma_addrs',
  '__data_loc unsigned int[] lengths',
  'enum dma_data_direction dir',
  'unsigned long attrs',
];
const PHYS = '{0x111ea3000,0x1093d000,0x8000000000000000}';
const PAGE = {
  device: DEVICE,
  phys_addr: 0x1_0ee6_0000n,
  dma_addr: 0xffff_ffff_ffff_a000n,
  size: 4096,
  dir: 1,
  attrs: 0x40022n,
};

type Case = readonly [
  event: string,
  fields: readonly string[],
  values: { readonly [field: string]: FieldValue },
  printed: string,
];

/** Fields, values, and how Linux prints them. */
const CASES: readonly Case[] = [
  [
    'iommu:map',
    ['u64 iova', 'u64 paddr', 'size_t size'],
    { iova: 0xffff_ffff_fff2_6000n, paddr: 0x1_0b49_6000n, size: 4096 },
    'map: IOMMU: iova=0xfffffffffff26000 - 0xfffffffffff27000 paddr=0x000000010b496000 size=4096',
  ],
  [
    'iommu:unmap',
    ['u64 iova', 'size_t size', 'size_t unmapped_size'],
    { iova: 0xffff8000n, size: 0x2_0000_0000n, unmapped_size: 4096 },
    'unmap: IOMMU: iova=0x00000000ffff8000 - 0x00000002ffff8000 size=8589934592 unmapped_size=4096',
  ],
  [
    'iommu:attach_device_to_domain',
    ['__data_loc char[] device'],
    { device: '0000:00:03.0' },
    'attach_device_to_domain: IOMMU: device=0000:00:03.0',
  ],
  [
    'iommu:add_device_to_group',
    ['int gid', '__data_loc char[] device'],
    { gid: 8, device: '0000:00:1f.2' },
    'add_device_to_group: IOMMU: groupID=8 device=0000:00:1f.2',
  ],
  [
    'iommu:remove_device_from_group',
    ['int gid', '__rel_loc char[] device'],
    { gid: 9, device: 'a003e00.virtio_mmio' },
    'remove_device_from_group: IOMMU: groupID=9 device=a003e00.virtio_mmio',
  ],
  [
    'iommu:io_page_fault',
    ['__data_loc char[] device', '__data_loc char[] driver', 'u64 iova', 'int flags'],
    { device: DEVICE, driver: 'vfio-pci', iova: 0x12345000n, flags: 1 },
    'io_page_fault: IOMMU:vfio-pci 0000:01:00.0 iova=0x0000000012345000 flags=0x0001',
  ],
  [
    'intel_iommu:qi_submit',
    ['u64 qw0', 'u64 qw1', 'u64 qw2', 'u64 qw3', '__data_loc char[] iommu'],
    { qw0: 0x400f2n, qw1: 0xffff_ffff_ffff_8040n, qw2: 3, qw3: 1n << 63n, iommu: 'dmar0' },
    'qi_submit: iotlb_inv dmar0: 0x400f2 0xffffffffffff8040 0x3 0x8000000000000000',
  ],
  [
    'intel_iommu:cache_tag_assign',
    TAG,
    { iommu: 'dmar0', dev: DEVICE, type: 1, domain_id: 0xffff, pasid: 7, users: 2 },
    'cache_tag_assign: dmar0/0000:01:00.0 type devtlb did 65535 pasid 7 ref 2',
  ],
  [
    'intel_iommu:cache_tag_unassign',
    TAG,
    { iommu: 'dmar0', dev: 'dmar0', type: 0, domain_id: 2, pasid: 0, users: 0 },
    'cache_tag_unassign: dmar0/dmar0 type iotlb did 2 pasid 0 ref 0',
  ],
  [
    'intel_iommu:cache_tag_flush_all',
    TAG,
    { iommu: 'dmar1', dev: 'dmar1', type: 2, domain_id: 3, pasid: 0, users: 4 },
    'cache_tag_flush_all: dmar1/dmar1 type nesting_iotlb did 3 pasid 0 ref 4',
  ],
  [
    'intel_iommu:cache_tag_flush_range',
    FLUSH,
    {
      iommu: 'dmar0',
      dev: DEVICE,
      type: 1,
      domain_id: 10,
      pasid: 7,
      start: 0x1_0001_5000n,
      end: 0x1_0001_5fffn,
      addr: 0x1_0001_5000n,
      mask: 1,
    },
    'cache_tag_flush_range: dmar0 0000:01:00.0[7] type devtlb did 10 [0x100015000-0x100015fff] addr 0x100015000 mask 0x1',
  ],
  [
    'intel_iommu:cache_tag_flush_range_np',
    FLUSH,
    { iommu: 'dmar0', dev: 'dmar0', type: 0, domain_id: 10, start: 0, end: 0xffff_ffff_ffff_ffffn, addr: 0, mask: 52 },
    'cache_tag_flush_range_np: dmar0 dmar0[0] type iotlb did 10 [0x0-0xffffffffffffffff] addr 0x0 mask 0x34',
  ],
  [
    'intel_iommu:prq_report',
    PRQ,
    { dw0: 0x0030_0007_0100_0001n, dw1: 0x0010_06b0_0000_0ff7n & ~8n, seq: 77, iommu: 'dmar0', dev: DEVICE },
    'prq_report: dmar0/0000:01:00.0 seq# 77: rid=0x100 addr=0x1006b000000 rwxpl pasid=0x7 index=0x1fe',
  ],
  [
    'intel_iommu:prq_report',
    PRQ,
    {
      dw0: 0x0000_0007_0100_0201n,
      dw1: 0x1006_b000n,
      dw2: 0x1122_3344_5566_7788n,
      dw3: 0x99aa_bbcc_ddee_ff00n,
      seq: 1,
      iommu: 'dmar0',
      dev: DEVICE,
    },
    'prq_report: dmar0/0000:01:00.0 seq# 1: rid=0x100 addr=0x1006b ----- pasid=0x7 index=0x0 private=0x1122334455667788/0x99aabbccddeeff00',
  ],
  [
    'dma:dma_map_page',
    MAP,
    PAGE,
    'dma_map_page: 0000:01:00.0 dir=TO_DEVICE dma_addr=ffffffffffffa000 size=4096 phys_addr=10ee60000 attrs=WEAK_ORDERING|SKIP_CPU_SYNC|0x40000',
  ],
  [
    'dma:dma_map_phys',
    MAP,
    { ...PAGE, attrs: 0, dir: 0 },
    'dma_map_phys: 0000:01:00.0 dir=BIDIRECTIONAL dma_addr=ffffffffffffa000 size=4096 phys_addr=10ee60000 attrs=',
  ],
  [
    'dma:dma_map_resource',
    MAP,
    { ...PAGE, dir: 3 },
    'dma_map_resource: 0000:01:00.0 dir=NONE dma_addr=ffffffffffffa000 size=4096 phys_addr=10ee60000 attrs=WEAK_ORDERING|SKIP_CPU_SYNC|0x40000',
  ],
  ...(['dma_unmap_page', 'dma_unmap_phys', 'dma_unmap_resource'] as const).map(
    (name): Case => [
      `dma:${name}`,
      ['__data_loc char[] device', 'u64 addr', 'size_t size', 'enum dma_data_direction dir', 'unsigned long attrs'],
      { device: DEVICE, addr: 0xffff82c0n, size: 48, dir: 1, attrs: 2 },
      `${name}: 0000:01:00.0 dir=TO_DEVICE dma_addr=ffff82c0 size=48 attrs=WEAK_ORDERING`,
    ],
  ),
  ...(['dma_alloc', 'dma_alloc_pages'] as const).map(
    (name): Case => [
      `dma:${name}`,
      ALLOC,
      { device: DEVICE, virt_addr: 5, dma_addr: 0xffffe000n, size: 6726, flags: 0xcc0, dir: 0, attrs: 256 },
      `${name}: 0000:01:00.0 dir=BIDIRECTIONAL dma_addr=ffffe000 size=6726 virt_addr=0000000002ff1407 flags=GFP_KERNEL attrs=NO_WARN`,
    ],
  ),
  ...(['dma_free', 'dma_free_pages'] as const).map(
    (name): Case => [
      `dma:${name}`,
      ALLOC.filter((field) => !field.startsWith('gfp')),
      { device: DEVICE, virt_addr: 5, dma_addr: 0xffffe000n, size: 6726, dir: 0, attrs: 256 },
      `${name}: 0000:01:00.0 dir=BIDIRECTIONAL dma_addr=ffffe000 size=6726 virt_addr=0000000002ff1407 attrs=NO_WARN`,
    ],
  ),
  [
    'dma:dma_alloc_sgt',
    SGT,
    { device: DEVICE, phys_addrs: SG.phys_addrs, dma_addr: 0xfffc0000n, size: 65536, dir: 0, attrs: 0 },
    `dma_alloc_sgt: 0000:01:00.0 dir=BIDIRECTIONAL dma_addr=fffc0000 size=65536 phys_addrs=${PHYS} flags=GFP_KERNEL attrs=`,
  ],
  [
    'dma:dma_free_sgt',
    SGT.slice(0, 5),
    { device: DEVICE, phys_addrs: SG.phys_addrs, dma_addr: 0xfffc0000n, size: 65536, dir: 0 },
    `dma_free_sgt: 0000:01:00.0 dir=BIDIRECTIONAL dma_addr=fffc0000 size=65536 phys_addrs=${PHYS}`,
  ],
  [
    'dma:dma_map_sg',
    SG_FIELDS,
    SG,
    `dma_map_sg: 0000:01:00.0 dir=FROM_DEVICE nents=3/3 ents=2/2 dma_addrs={0xfff80000,0x100000000} sizes={0x20000,0x1000} phys_addrs=${PHYS} attrs=SKIP_CPU_SYNC|NO_WARN`,
  ],
  [
    'dma:dma_unmap_sg',
    ['__data_loc char[] device', '__data_loc u64[] addrs', 'enum dma_data_direction dir', 'unsigned long attrs'],
    { device: DEVICE, addrs: SG.phys_addrs, dir: 2, attrs: 0 },
    `dma_unmap_sg: 0000:01:00.0 dir=FROM_DEVICE phys_addrs=${PHYS} attrs=`,
  ],
  [
    'ftrace:print',
    ['unsigned long ip', 'char buf[]'],
    { ip: 1, buf: 'lab: start\n' },
    'tracing_mark_write: lab: start',
  ],
];

describe('a record and its text are the same row', () => {
  test.each(CASES)('%s', (event, fields, values, printed) => {
    const format = makeFormat(event, 300, fields, ATTRS);
    const { events, health } = decode([format], [makeRecord(format, 9, values)]);
    expect(health.entries).toEqual([]);
    expect(events).toHaveLength(1);
    expect(events).toEqual(parse(printed));
  });

  test.each(CASES.filter(([event]) => event !== 'ftrace:print'))('%s, big-endian', (event, fields, values, printed) => {
    const format = makeFormat(event, 300, fields, ATTRS);
    const { events } = decode([format], [makeRecord(format, 9, values, false)], { littleEndian: false });
    expect(events).toEqual(parse(printed));
  });

  test('every converter has a case', () => {
    const all = [...IOMMU_CONVERTERS, ...INTEL_IOMMU_CONVERTERS, ...DMA_CONVERTERS];
    const cases = new Set(CASES.map(([event]) => event));
    expect(all.map(({ system, name }) => `${system}:${name}`).filter((event) => !cases.has(event))).toEqual([]);
  });
});

describe('records that are no row', () => {
  test('a list that the kernel cut is one row, and counted', () => {
    const format = makeFormat('dma:dma_map_sg', 300, SG_FIELDS, ATTRS);
    const { events, health } = decode([format], [makeRecord(format, 9, { ...SG, truncated: 1 })]);
    expect(events).toHaveLength(1);
    expect(health.entries.map(({ kind, name }) => [kind, name])).toEqual([['truncated', 'dma_map_sg list']]);
  });

  test('a string or list that does not lie in its record is malformed', () => {
    const format = makeFormat(
      'dma:dma_unmap_sg',
      300,
      ['__data_loc char[] device', '__data_loc u64[] addrs', 'enum dma_data_direction dir', 'unsigned long attrs'],
      ATTRS,
    );
    const good = makeRecord(format, 9, { device: DEVICE, addrs: SG.phys_addrs });
    const bad = [8, 12].map((at) => {
      const record = Uint8Array.from(good);
      record[at + 2] = 0xff;
      return record;
    });
    const { events, health } = decode([format], [good, ...bad]);
    expect(events).toHaveLength(1);
    expect(health.entries).toEqual([{ kind: 'malformed', name: 'dma:dma_unmap_sg', count: 2, first: ['t:1', 't:2'] }]);
  });

  test('known events that change nothing are ignored, others unknown, all of them by name', () => {
    const formats = ['kvm:kvm_exit', 'dma:dma_sync_single_for_cpu', 'sched:sched_switch'].map((event, i) =>
      makeFormat(event, 300 + i, []),
    );
    const stray = makeFormat('a:b', 999, []);
    const records = [...formats, ...formats, stray].map((format) => makeRecord(format, 1, {}));
    const { events, health } = decode(formats, records);
    expect(events).toEqual([]);
    expect(health.entries.map(({ kind, name, count }) => [kind, name, count])).toEqual([
      ['ignored', 'kvm:kvm_exit', 2],
      ['ignored', 'dma:dma_sync_single_for_cpu', 2],
      ['unknown', 'sched:sched_switch', 2],
      ['unknown', 'event 999', 1],
    ]);
  });
});

describe('system calls', () => {
  const enter = makeFormat('raw_syscalls:sys_enter', 1, ['long id', 'unsigned long args[6]']);
  const exit = makeFormat('raw_syscalls:sys_exit', 2, ['long id', 'long ret']);
  const enterIoctl = makeFormat('syscalls:sys_enter_ioctl', 3, [
    'int __syscall_nr',
    'unsigned int long fd',
    'unsigned int long cmd',
    'unsigned long arg',
  ]);
  const exitIoctl = makeFormat('syscalls:sys_exit_ioctl', 4, ['int __syscall_nr', 'long ret']);
  const formats = [enter, exit, enterIoctl, exitIoctl];
  const args = [0xbn, 0x3b85n, 0x7ffe_730b_3d70n, 0n, 0n, 0n];
  const named = { __syscall_nr: 16, fd: 0xb, cmd: 0x3b85, arg: args[2]! };

  test.each([
    ['raw', [makeRecord(enter, 7, { id: 16, args }), makeRecord(exit, 7, { id: 16, ret: -14 })], 1],
    ['by name', [makeRecord(enterIoctl, 7, named), makeRecord(exitIoctl, 7, { ret: -14 })], 1],
    [
      'both',
      [
        makeRecord(enter, 7, { id: 16, args }),
        makeRecord(enterIoctl, 7, named),
        makeRecord(exit, 7, { id: 16, ret: -14 }),
        makeRecord(exitIoctl, 7, { ret: -14 }),
      ],
      3,
    ],
  ])('%s: one row', (_name, records, expected) => {
    const { events, health, folded } = decode(formats, records);
    expect(health.entries).toEqual([]);
    expect(folded).toBe(expected);
    expect(events).toMatchObject([
      { stream: 'ioctl', task: 7, fields: { fd: 11, request: 0x3b85, arg: args[2], errno: 14, path: '/dev/iommu' } },
    ]);
  });

  test('calls of many tasks do not mix', () => {
    const records = Array.from({ length: 300 }, (_, i) =>
      makeRecord(enter, i + 1, { id: 0, args: [BigInt(i), 0n, 0n, 0n, 0n, 0n] }),
    );
    const returns = Array.from({ length: 300 }, (_, i) => makeRecord(exit, 300 - i, { id: 0, ret: i }));
    const { events } = decode(formats, [...records, ...returns]);
    expect(events.map(({ task, fields }) => [task, fields['fd'], fields['ret']])).toEqual(
      Array.from({ length: 300 }, (_, i) => [300 - i, 299 - i, BigInt(i)]),
    );
  });
});
