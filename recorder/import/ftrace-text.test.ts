import { describe, expect, test } from 'vitest';
import type { PlainEvent } from '../../traces/event.ts';
import { ACCESS, CALL, ORIGIN } from '../../traces/schema.ts';
import { decodeSgList } from '../../traces/sg-list.ts';
import { ftraceText } from './ftrace-text.ts';
import { readImport } from './testing/read-import.ts';
import type { ReadImport } from './testing/read-import.ts';

function read(text: string): ReadImport {
  return readImport(ftraceText, Buffer.from(text));
}

const MAP = 'map: IOMMU: iova=0x00000000fff26000 - 0x00000000fff27000 paddr=0x000000010b496000 size=4096';

/** Reads one event behind a usual beginning of a line. */
function one(event: string): PlainEvent {
  const { events, health, facts } = read(`          <idle>-0       [001] d..2.     0.901930: ${event}\n`);
  expect({ event, malformed: health.malformed, lines: facts.lines }).toEqual({ event, malformed: 0, lines: 1 });
  expect(events).toHaveLength(1);
  return events[0]!;
}

describe('the beginning of a line', () => {
  test.each([
    ['plain', `              dd-396     [000] d..1.    13.028664: ${MAP}`, 396, 0, 13_028_664_000],
    [
      'spaces and dashes in the command',
      ` my - app [2]-x-77      [012] .....    13.028664: ${MAP}`,
      77,
      12,
      13_028_664_000,
    ],
    ['tgid', `             fio-385     (   385) [001] d.h1.    46.424530: ${MAP}`, 385, 1, 46_424_530_000],
    ['no tgid known', `          <idle>-0       (-------) [001] d.h1.    46.424530: ${MAP}`, 0, 1, 46_424_530_000],
    ['no flags', `              dd-396     [000]    13.028664: ${MAP}`, 396, 0, 13_028_664_000],
    ['older flags', `              dd-396     [000] d..1    13.028664: ${MAP}`, 396, 0, 13_028_664_000],
    [
      'trace-cmd report',
      `            init-1     [000] d..3.     1.254579: ${MAP.replace('map:', 'map:       ')}`,
      1,
      0,
      1_254_579_000,
    ],
    ['nine digits', `            init-1     [000] d..3.     1.254579123: ${MAP}`, 1, 0, 1_254_579_123],
    ['a clock that counts', `            init-1     [000] d..3. 1254579123: ${MAP}`, 1, 0, 1_254_579_123],
    [
      'perf script',
      `             fio     366 [000]    20.129599:                            iommu:${MAP}`,
      366,
      0,
      20_129_599_000,
    ],
    [
      'perf script, process and thread',
      `             fio   366/367 [003]    20.129599: iommu:${MAP}`,
      367,
      3,
      20_129_599_000,
    ],
    ['not aligned', `a-5 [000] .. 1.000001: ${MAP}`, 5, 0, 1_000_001_000],
  ])('%s', (_name, line, task, cpu, time) => {
    const { events, facts, health } = read(`${line}\n`);
    expect(health.entries).toEqual([]);
    expect(facts.events).toBe(1);
    expect(events[0]).toMatchObject({ stream: 'map', task, cpu, time, fields: { iova: 0xfff26000n, size: 4096n } });
  });

  test.each([
    '',
    'x',
    'dd-396 [000] d..1.    13.028664 map: no colon',
    'dd-396 [x] d..1.    13.028664: map: x',
    'dd [000] d..1.    13.028664: map: x',
    'dd-396 [000] d..1.    .028664: map: x',
    'dd-396 [000] d..1.    13.0286640000: map: x',
    'dd-396 [000] d..1.    13.028664:',
    'dd-396 [000',
    '[000] 1.5: map: x',
    '-1 [000',
    `dd-99999999999 [000] d..1. 1.5: ${MAP}`,
  ])('%s is no event', (line) => {
    const { facts, health } = read(`${line}\n`);
    expect(facts.events).toBe(0);
    expect(health.malformed + facts.blank).toBe(1);
  });

  test('a late clock moves the epoch, so that times stay exact', () => {
    const { header, events } = read(
      `a-1 [000] d..1. 1795325698.625086: ${MAP}\na-1 [000] d..1. 1795325698.625087: ${MAP}\n`,
    );
    expect(header.clock.epochNs).toBe('1795325638000000000');
    expect(events.map(({ time }) => time)).toEqual([60_625_086_000, 60_625_087_000]);
    expect(BigInt(header.clock.epochNs) + 60_625_086_000n).toBe(1795325698625086000n);
  });

  test('time stamps beyond the trace are malformed', () => {
    const { facts, health } = read(`a-1 [000] d..1. 5.000001: ${MAP}\na-1 [000] d..1. 99999999999.000001: ${MAP}\n`);
    expect(facts.events).toBe(1);
    expect(health.entries).toMatchObject([{ kind: 'malformed', name: 'time stamp', first: ['t:2'] }]);
  });
});

describe('events', () => {
  test('sizes and addresses of 64 bits are exact', () => {
    const { fields } = one(
      'unmap: IOMMU: iova=0xfffffffffffff000 - 0x0000000000000000 size=18446744073709551615 unmapped_size=9007199254740993',
    );
    expect(fields).toMatchObject({ iova: 0xfffffffffffff000n, size: 2n ** 64n - 1n, unmapped: 9007199254740993n });
  });

  test('dma_map_phys of Linux 6.18 is dma_map_page', () => {
    const line =
      '0000:00:03.0 dir=BIDIRECTIONAL dma_addr=ffffb0f8 size=16 phys_addr=10e7460f8 attrs=WEAK_ORDERING|NO_WARN';
    const old = one(`dma_map_page: ${line}`);
    expect(one(`dma_map_phys: ${line}`).fields).toEqual(old.fields);
    expect(old.fields).toMatchObject({
      origin: ORIGIN.dmaApi,
      call: CALL.page,
      device: 0x18,
      iova: 0xffffb0f8n,
      phys: 0x10e7460f8n,
      size: 16n,
      prot: ACCESS.read | ACCESS.write,
      attrs: 'WEAK_ORDERING|NO_WARN',
    });
    expect(one(`dma_map_resource: ${line}`).fields).toMatchObject({ call: CALL.resource });
  });

  test('directions, and calls without one', () => {
    const prot = (words: string): unknown =>
      one(`dma_alloc: 0000:00:03.0${words} dma_addr=1000 size=1 virt_addr=0000000002ff1407 flags=GFP_KERNEL attrs=`)
        .fields['prot'];
    expect([' dir=TO_DEVICE', ' dir=FROM_DEVICE', ' dir=NONE', ''].map(prot)).toEqual([1, 2, 0, 0]);
    const bad = read('a-1 [000] 1.5: dma_alloc: 0000:00:03.0 dir=SIDEWAYS dma_addr=1000 size=1 attrs=\n');
    expect(bad.health.malformed).toBe(1);
  });

  test('scatter-gather lists', () => {
    const event = one(
      'dma_map_sg: 0000:00:04.0 dir=FROM_DEVICE nents=3/3 ents=2/2 dma_addrs={0xfff80000,0x1fff00000} ' +
        'sizes={0xfffffff0,0x20} phys_addrs={0x111ea3000,0x11093d000,0xffffffffffff0000} attrs=NO_WARN',
    );
    const { iova, phys, size, list, call, prot, attrs } = event.fields;
    expect({ iova, phys, size, call, prot, attrs }).toEqual({
      iova: 0xfff80000n,
      phys: 0x111ea3000n,
      size: 0x100000010n,
      call: CALL.sg,
      prot: ACCESS.write,
      attrs: 'NO_WARN',
    });
    expect(decodeSgList(list as Uint8Array)).toEqual({
      dma: [
        { address: 0xfff80000n, size: 0xfffffff0n },
        { address: 0x1fff00000n, size: 0x20n },
      ],
      phys: [0x111ea3000n, 0x11093d000n, 0xffffffffffff0000n],
    });
    const unmap = one('dma_unmap_sg: 0000:00:04.0 dir=FROM_DEVICE phys_addrs={0x111ea3000} attrs=');
    expect(decodeSgList(unmap.fields['list'] as Uint8Array)).toEqual({ dma: [], phys: [0x111ea3000n] });
  });

  test('a list that the kernel cut is counted', () => {
    const line =
      'a-1 [000] 1.5: dma_map_sg: 0000:00:04.0 dir=NONE nents=1/200 ents=1/200 [TRUNCATED] dma_addrs={0x1} sizes={0x1} phys_addrs={} attrs=\n';
    expect(read(line).health.truncated).toBe(1);
    expect(read(line.replace(' [TRUNCATED]', '')).health.truncated).toBe(0);
  });

  test.each([
    'dma_addrs={0x1,0x2} sizes={0x1} phys_addrs={0x1} attrs=',
    'dma_addrs={0x1 sizes={0x1} phys_addrs={0x1} attrs=',
    'dma_addrs={0x1,} sizes={0x1} phys_addrs={0x1} attrs=',
    'dma_addrs=0x1 sizes={0x1} phys_addrs={0x1} attrs=',
  ])('damaged lists are malformed: %s', (lists) => {
    const { health, facts } = read(`a-1 [000] 1.5: dma_map_sg: 0000:00:04.0 dir=NONE ${lists}\n`);
    expect([health.malformed, facts.events]).toEqual([1, 0]);
  });

  test('allocation of a table', () => {
    const { fields } = one(
      'dma_alloc_sgt: 0000:00:04.0 dir=BIDIRECTIONAL dma_addr=fffc0000 size=8192 phys_addrs={0x1000,0x9000} flags=GFP_KERNEL attrs=',
    );
    expect(fields).toMatchObject({ call: CALL.alloc, iova: 0xfffc0000n, size: 8192n, phys: 0x1000n });
    expect(decodeSgList(fields['list'] as Uint8Array).phys).toEqual([0x1000n, 0x9000n]);
  });

  test('faults', () => {
    const event = one('io_page_fault: IOMMU:vfio-pci 0000:01:00.0 iova=0x0000000012345000 flags=0x0001');
    expect(event).toMatchObject({
      stream: 'fault',
      fields: { unit: 'vfio-pci', rid: 0x100, iova: 0x12345000n, access: ACCESS.write },
    });
  });

  test('groups', () => {
    const { fields } = one('remove_device_from_group: IOMMU: groupID=8 device=0000:00:1f.2');
    expect(fields).toMatchObject({ kind: 1, refs: 8, device: 0xfa });
  });

  test('page requests, with private data', () => {
    const { fields } = one(
      'prq_report: dmar0/0000:01:00.0 seq# 3: rid=0x100 addr=0x8001006b3 rwxpl pasid=0x7 index=0x1f private=0x1122334455667788/0x1',
    );
    expect(fields).toMatchObject({ rid: 0x100, iova: 0x8001006b3000n, access: 31, pasid: 7, group: 31, seq: 3 });
    expect(Buffer.from(fields['data'] as Uint8Array).toString('hex')).toBe('88776655443322110100000000000000');
  });

  test('tag types by name and by number', () => {
    const flush = (type: string): unknown =>
      one(`cache_tag_flush_range_np: dmar0 0000:01:00.0[7] type ${type} did 10 [0x1000-0x1fff] addr 0x1000 mask 0x0`)
        .fields;
    expect(flush('nesting_devtlb')).toEqual(flush('0x3'));
    expect(flush('devtlb')).toMatchObject({ op: 1, device: 0x100, type: 1, pasid: 7, domain: 10, mask: 0 });
  });

  test('marks are cut, and cleaned for terminals', () => {
    const { fields } = one('tracing_mark_write: \x1b[31mred');
    expect(fields['text']).toBe('?[31mred');
    const long = read(`a-1 [000] 1.5: tracing_mark_write: ${'m'.repeat(5000)}\n`);
    expect(long.health.truncated).toBe(1);
    expect(String(long.events[0]?.fields['text'])).toHaveLength(1024);
  });

  test('devices that are not on PCI have no requester id, and are named', () => {
    const { events, facts } = read(
      'a-1 [000] 1.5: dma_unmap_page: a003e00.virtio_mmio dir=TO_DEVICE dma_addr=1000 size=1 attrs=\n',
    );
    expect(events[0]?.fields['device']).toBe(-1);
    expect(facts.notes).toEqual({ devicesWithoutRequesterId: ['a003e00.virtio_mmio'] });
  });

  test('known and unknown names', () => {
    const { health, facts } = read(
      'a-1 [000] 1.5: dma_sync_single_for_cpu: 0000:00:03.0 dir=TO_DEVICE dma_addr=1 size=1\n' +
        'a-1 [000] 1.5: sched_switch: x\n',
    );
    expect(facts.events).toBe(0);
    expect(health.entries.map(({ kind, name, count }) => [kind, name, count])).toEqual([
      ['unknown', 'sched_switch', 1],
      ['ignored', 'dma_sync_single_for_cpu', 1],
    ]);
  });
});

describe('system calls', () => {
  const at = (time: string, task: number): string => `a-${task} [000] ${time}: `;

  test.each([
    ['tracefs', 'sys_ioctl(fd: 0xb, cmd: 0x3b85, arg: 0x7ffe730b3d70)', 'sys_ioctl -> 0xfffffffffffffff2'],
    ['older tracefs', 'sys_ioctl(fd: b, cmd: 3b85, arg: 7ffe730b3d70)', 'sys_ioctl -> 0xfffffffffffffff2'],
    [
      'trace-cmd report',
      'sys_enter_ioctl:      fd: 0x0000000b, cmd: 0x00003b85, arg: 0x7ffe730b3d70',
      'sys_exit_ioctl:       0xfffffffffffffff2',
    ],
    [
      'perf script',
      'syscalls:sys_enter_ioctl: fd: 0x0000000b, cmd: 0x00003b85, arg: 0x7ffe730b3d70',
      'syscalls:sys_exit_ioctl: 0xfffffffffffffff2',
    ],
    ['raw', 'sys_enter: NR 16 (b, 3b85, 7ffe730b3d70, 0, 0, 0)', 'sys_exit: NR 16 = -14'],
  ])('%s: an ioctl is one row when it returned', (_name, enter, exit) => {
    const { events, facts, health } = read(`${at('1.000100', 7)}${enter}\n${at('1.000150', 7)}${exit}\n`);
    expect([facts.events, facts.folded, health.entries]).toEqual([1, 1, []]);
    expect(events[0]).toMatchObject({ stream: 'ioctl', time: 1_000_150_000, task: 7 });
    expect(events[0]!.fields).toMatchObject({
      fd: 11,
      request: 0x3b85,
      arg: 0x7ffe730b3d70n,
      duration: 50_000n,
      ret: 0xfffffffffffffff2n,
      errno: 14,
      path: '/dev/iommu',
      seen: 1,
    });
  });

  test('another call is a call row, its fd known by its name', () => {
    const lines = [
      `${at('1.0', 7)}sys_enter: NR 0 (3, 7f00, 10, 0, 0, 0)`,
      `${at('1.1', 8)}sys_enter: NR 9 (0, 1000, 3, 2, 5, 8000)`,
      `${at('1.2', 7)}sys_exit: NR 0 = 16`,
      `${at('1.3', 8)}sys_exit: NR 9 = 140000000000000`,
    ];
    const { events } = read(`${lines.join('\n')}\n`);
    expect(
      events.map(({ stream, task, fields }) => [stream, task, fields['name'], fields['fd'], fields['ret']]),
    ).toEqual([
      ['call', 7, 'read', 3, 16n],
      ['call', 8, 'mmap', 5, 140_000_000_000_000n],
    ]);
    expect(events[0]!.fields).toMatchObject({ a0: 3n, a1: 0x7f00n, a2: 0x10n, errno: 0 });
  });

  test('both kinds of events of one call are one row', () => {
    const lines = [
      `${at('1.0', 7)}sys_enter: NR 16 (3, 3b64, 0, 0, 0, 0)`,
      `${at('1.1', 7)}sys_ioctl(fd: 3, cmd: 0x3b64, arg: 0)`,
      `${at('1.3', 7)}sys_exit: NR 16 = 0`,
      `${at('1.4', 7)}sys_ioctl -> 0x0`,
    ];
    const { events, facts } = read(`${lines.join('\n')}\n`);
    expect([facts.events, facts.folded, facts.lines]).toEqual([1, 3, 4]);
    expect(events[0]!.fields).toMatchObject({ duration: 300_000_000n, path: '/dev/vfio/vfio' });
  });

  test('calls that are not whole are counted', () => {
    const lines = [
      `${at('1.0', 7)}sys_exit: NR 16 = 0`,
      `${at('1.1', 7)}sys_enter: NR 16 (3, 3b64, 0, 0, 0, 0)`,
      `${at('1.2', 7)}sys_enter: NR 16 (3, 3b65, 0, 0, 0, 0)`,
      `${at('1.3', 7)}sys_exit: NR 1 = 0`,
      `${at('1.4', 8)}sys_enter: NR 231 (0, 0, 0, 0, 0, 0)`,
    ];
    const { facts, health } = read(`${lines.join('\n')}\n`);
    expect([facts.lines, facts.events, facts.folded, health.ignored]).toEqual([5, 0, 0, 5]);
    expect(health.entries.map(({ kind, name, count }) => [kind, name, count])).toEqual([
      ['ignored', 'return of a call whose beginning is not here', 2],
      ['ignored', 'call that did not return', 3],
    ]);
  });

  test.each([
    'sys_enter: NR x (3)',
    'sys_enter: NR 16 (3, 4)',
    'sys_exit: NR 16 = x',
    'sys_ioctl -> x',
    'sys_exit_a: ',
  ])('%s is malformed', (text) => expect(read(`${at('1.0', 7)}${text}\n`).health.malformed).toBe(1));
});

describe('losses', () => {
  const header = (inBuffer: number, written: number): string =>
    `# tracer: nop\n#\n# entries-in-buffer/entries-written: ${inBuffer}/${written}   #P:4\n#\n`;
  const line = `a-1 [000] d..1. 1.000001: ${MAP}\n`;

  test('overwritten entries become an event before the first, and are counted', () => {
    const { events, health, header: head } = read(`${header(1, 8)}##### CPU 0 buffer started ####\n${line}`);
    expect(head.host.cpus).toBe(4);
    expect(events.map(({ stream, fields }) => [stream, fields['count']])).toEqual([
      ['lost', 7n],
      ['map', undefined],
    ]);
    expect(health.lost).toBe(7);
    expect(health.truncated).toBe(0);
  });

  test('a file that is shorter than its header says', () => {
    const { health } = read(header(3, 3) + line);
    expect(health.truncated).toBe(2);
  });

  test('lost and dropped events of a CPU', () => {
    const { events, health, facts } = read(
      `${line}CPU:1 [LOST 12 EVENTS]\nCPU:2 [5 EVENTS DROPPED]\nCPU:3 [EVENTS DROPPED]\n${line}`,
    );
    expect(facts).toMatchObject({ lines: 2, events: 2 });
    expect(health).toMatchObject({ lost: 18, malformed: 0 });
    expect(events.slice(1, 4).map(({ cpu, fields }) => [cpu, fields['count']])).toEqual([
      [1, 12n],
      [2, 5n],
      [3, 0n],
    ]);
  });

  test('a last line without an end is not trusted', () => {
    const { facts, health } = read(`${line}${line.slice(0, -3)}`);
    expect(facts.events).toBe(1);
    expect(health).toMatchObject({ truncated: 1, malformed: 0 });
  });
});

test('workers of the kernel that answer page requests are noted, and nobody else by name', () => {
  const line = (who: string, kind: string): string =>
    `${who} [000] d..1.     6.338478: qi_submit: ${kind} dmar0: 0x701000019 0x0 0x0 0x0\n`;
  const { facts, health } = read(
    line('   kworker/u8:1-57     ', 'page_grp_resp') +
      line('   kworker/u8:2-58     ', 'p_dev_tlb_inv') +
      line('   prilab.static-191   ', 'page_grp_resp'),
  );
  expect(facts.notes).toEqual({ answeringKernelWorkers: [57] });
  expect(health.malformed).toBe(0);
});
