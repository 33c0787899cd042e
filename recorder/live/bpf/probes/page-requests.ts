import { ACCESS, STREAM_ID } from '../../../../traces/schema.ts';
import { ABSENT } from '../../../../traces/units.ts';
import { ZERO } from '../../../import/calls/words.ts';
import type { KernelProbe } from './kernel-probe.ts';
import { findFunction, wordFormat, wordsFrom } from './kernel-probe.ts';
import { requesterOf } from './requester.ts';

/** Flags of struct iommu_fault_page_request (include/linux/iommu.h). */
const PASID_VALID = 1;
const LAST_PAGE = 2;
const FIELDS = ['flags', 'pasid', 'grpid', 'perm', 'addr'] as const;

/** Page requests of any driver on their way to who answers them, and the answers (drivers/iommu/io-pgfault.c). */
export const pageRequests: KernelProbe = {
  name: 'page-requests',
  sees: 'page requests of devices, of any driver, and the responses to them',
  streams: { prq: 'full', prs: 'full' },

  plan(kernel) {
    const report = findFunction(kernel, [], ['iommu_report_device_fault'], {
      dev: 'struct device *',
      evt: 'struct iopf_fault *',
    });
    const respond = findFunction(kernel, [], ['iopf_group_response'], { group: 'struct iopf_group *' });
    if ('lacking' in report) return report;
    if ('lacking' in respond) return respond;
    const name = kernel.offset([], 'device', 'kobj', 'name');
    const prm = FIELDS.map((field) => kernel.offset([], 'iopf_fault', 'fault', 'prm', field));
    const last = kernel.offset([], 'iopf_group', 'last_fault');
    const param = kernel.offset([], 'iopf_group', 'fault_param');
    const device = kernel.offset([], 'iommu_fault_param', 'dev');
    if ([name, last, param, device, ...prm].includes(undefined)) {
      return { lacking: 'structs iopf_fault and iopf_group are others' };
    }
    const [flags = 0, pasid = 0, group = 0, perm = 0, address = 0] = prm;
    const u32 = (base: string, at: number): string => `(uint64)*(uint32*)kptr(${base} + ${at})`;
    const program = `
kprobe:${report.name} {
  $f = (uint64)arg${report.at['evt']}; $name = *(uint64*)kptr((uint64)arg${report.at['dev']} + ${name});
  printf("KQ %llx %d %d${wordFormat(7)}\\n", nsecs, tid, cpu, ${wordsFrom('$name', 2)}, ${u32('$f', flags)}, ${u32('$f', pasid)}, ${u32('$f', group)}, ${u32('$f', perm)}, *(uint64*)kptr($f + ${address}));
}
kprobe:${respond.name} {
  $g = (uint64)arg${respond.at['group']}; $f = $g + ${last};
  $param = *(uint64*)kptr($g + ${param}); $dev = *(uint64*)kptr($param + ${device}); $name = *(uint64*)kptr($dev + ${name});
  printf("KR %llx %d %d${wordFormat(6)}\\n", nsecs, tid, cpu, ${wordsFrom('$name', 2)}, ${u32('$f', flags)}, ${u32('$f', pasid)}, ${u32('$f', group)}, (uint64)arg1 & 0xffffffff);
}
`;
    return { program, functions: [report.name, respond.name] };
  },

  lines: [
    {
      tag: 'KQ',
      words: 7,
      write({ sink, time, cpu, task, source }, words) {
        const [a = ZERO, b = ZERO, flags = ZERO, pasid = ZERO, group = ZERO, perm = ZERO, iova = ZERO] = words;
        const row = sink.begin(STREAM_ID.prq, time, cpu, task, source);
        const { columns } = sink.rows.prq;
        columns.rid[row] = requesterOf([a, b]);
        columns.pasid[row] = (flags.lo & PASID_VALID) === 0 ? ABSENT : pasid.lo;
        columns.group[row] = group.lo;
        columns.iovaLo[row] = iova.lo;
        columns.iovaHi[row] = iova.hi;
        // IOMMU_FAULT_PERM_* are the trace's own bits.
        columns.access[row] = (perm.lo & 15) | ((flags.lo & LAST_PAGE) === 0 ? 0 : ACCESS.last);
      },
    },
    {
      tag: 'KR',
      words: 6,
      write({ sink, time, cpu, task, source }, words) {
        const [a = ZERO, b = ZERO, flags = ZERO, pasid = ZERO, group = ZERO, code = ZERO] = words;
        const row = sink.begin(STREAM_ID.prs, time, cpu, task, source);
        const { columns } = sink.rows.prs;
        columns.rid[row] = requesterOf([a, b]);
        columns.pasid[row] = (flags.lo & PASID_VALID) === 0 ? ABSENT : pasid.lo;
        columns.group[row] = group.lo;
        columns.code[row] = code.lo;
      },
    },
  ],
};
