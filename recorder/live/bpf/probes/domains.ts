import { ATTACH, CALL, ORIGIN, STREAM_ID } from '../../../../traces/schema.ts';
import { ZERO } from '../../../import/calls/words.ts';
import type { KernelProbe } from './kernel-probe.ts';
import { findFunction, wordFormat, wordsFrom } from './kernel-probe.ts';
import { requesterOf } from './requester.ts';

/** Where a map or unmap really happens; all others call these (drivers/iommu/iommu.c). */
const MAP = ['iommu_map_nosync', '__iommu_map'];
const UNMAP = ['__iommu_unmap'];
const ATTACHERS = ['__iommu_attach_device'];
const DOMAIN = { domain: 'struct iommu_domain *' };
/** `prot` bits of iommu_map (include/linux/iommu.h): READ and WRITE are those of the trace. */
const PROT = 3;

/**
 * Which domain a map or unmap is of. The tracepoint tells that it succeeded and how much it was, and the function that it is
 * in tells the domain, and is asked only about the address that it was called with: an interrupt on top of it has another.
 */
export const domains: KernelProbe = {
  name: 'domains',
  sees: 'maps and unmaps with their domain, and which devices are attached to it',
  streams: { map: 'full', unmap: 'full', attach: 'partial' },

  plan(kernel) {
    const map = findFunction(kernel, [], MAP, { ...DOMAIN, iova: 'long unsigned int', prot: 'int' });
    const unmap = findFunction(kernel, [], UNMAP, { ...DOMAIN, iova: 'long unsigned int' });
    const attach = findFunction(kernel, [], ATTACHERS, { ...DOMAIN, dev: 'struct device *' });
    const free = findFunction(kernel, [], ['iommu_domain_free'], DOMAIN);
    for (const one of [map, unmap]) if ('lacking' in one) return one;
    if ('lacking' in map || 'lacking' in unmap) return { lacking: '' };
    const name = kernel.offset([], 'device', 'kobj', 'name');
    const attaching =
      'lacking' in attach || name === undefined
        ? ''
        : `
kprobe:${attach.name} {
  $name = *(uint64*)kptr(arg${attach.at['dev']} + ${name});
  printf("KA %llx %d %d${wordFormat(3)}\\n", nsecs, tid, cpu, arg${attach.at['domain']}, ${wordsFrom('$name', 2)});
}`;
    const freeing =
      'lacking' in free
        ? ''
        : `
kprobe:${free.name} { printf("KF %llx %d %d %llx\\n", nsecs, tid, cpu, arg${free.at['domain']}); }`;
    const program = `
kprobe:${map.name} {
  @mdomain[tid] = arg${map.at['domain']}; @miova[tid] = arg${map.at['iova']}; @mprot[tid] = arg${map.at['prot']};
}
kprobe:${unmap.name} { @udomain[tid] = arg${unmap.at['domain']}; @uiova[tid] = arg${unmap.at['iova']}; }
tracepoint:iommu:map {
  $domain = (uint64)0; $prot = (uint64)0;
  if (@miova[tid] == args->iova) { $domain = (uint64)@mdomain[tid]; $prot = (uint64)@mprot[tid]; }
  printf("KM %llx %d %d${wordFormat(5)}\\n", nsecs, tid, cpu, $domain, args->iova, args->paddr, args->size, $prot);
  delete(@mdomain[tid]); delete(@miova[tid]); delete(@mprot[tid]);
}
tracepoint:iommu:unmap {
  $domain = (uint64)0;
  if (@uiova[tid] == args->iova) { $domain = (uint64)@udomain[tid]; }
  printf("KU %llx %d %d${wordFormat(4)}\\n", nsecs, tid, cpu, $domain, args->iova, args->size, args->unmapped_size);
  delete(@udomain[tid]); delete(@uiova[tid]);
}${attaching}${freeing}
`;
    const functions = [map, unmap, attach, free].flatMap((one) => ('lacking' in one ? [] : one.name));
    return { program, functions };
  },

  lines: [
    {
      tag: 'KM',
      words: 5,
      write({ sink, time, cpu, task, source, domains: numbers }, words) {
        const [domain = ZERO, iova = ZERO, phys = ZERO, size = ZERO, prot = ZERO] = words;
        const row = sink.begin(STREAM_ID.map, time, cpu, task, source);
        const { columns } = sink.rows.map;
        columns.origin[row] = ORIGIN.iommu;
        columns.call[row] = CALL.iommu;
        columns.domain[row] = numbers.of(domain);
        columns.iovaLo[row] = iova.lo;
        columns.iovaHi[row] = iova.hi;
        columns.physLo[row] = phys.lo;
        columns.physHi[row] = phys.hi;
        columns.sizeLo[row] = size.lo;
        columns.sizeHi[row] = size.hi;
        columns.prot[row] = prot.lo & PROT;
      },
    },
    {
      tag: 'KU',
      words: 4,
      write({ sink, time, cpu, task, source, domains: numbers }, words) {
        const [domain = ZERO, iova = ZERO, size = ZERO, unmapped = ZERO] = words;
        const row = sink.begin(STREAM_ID.unmap, time, cpu, task, source);
        const { columns } = sink.rows.unmap;
        columns.origin[row] = ORIGIN.iommu;
        columns.call[row] = CALL.iommu;
        columns.domain[row] = numbers.of(domain);
        columns.iovaLo[row] = iova.lo;
        columns.iovaHi[row] = iova.hi;
        columns.sizeLo[row] = size.lo;
        columns.sizeHi[row] = size.hi;
        columns.unmappedLo[row] = unmapped.lo;
        columns.unmappedHi[row] = unmapped.hi;
      },
    },
    {
      tag: 'KA',
      words: 3,
      write({ sink, time, cpu, task, source, domains: numbers }, [domain = ZERO, ...name]) {
        const row = sink.begin(STREAM_ID.attach, time, cpu, task, source);
        const { columns } = sink.rows.attach;
        columns.kind[row] = ATTACH.attach;
        columns.domain[row] = numbers.of(domain);
        columns.device[row] = requesterOf(name);
      },
    },
    {
      tag: 'KF',
      words: 1,
      write: ({ domains: numbers }, [domain = ZERO]) => numbers.free(domain),
    },
  ],
};
