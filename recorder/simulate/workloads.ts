import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import type { Workload } from './workload.ts';
import { dma } from './workloads/dma.ts';
import { multiTenant } from './workloads/multi-tenant.ts';
import { nvme } from './workloads/nvme.ts';
import { packetNic } from './workloads/packet-nic.ts';
import { ringNic } from './workloads/ring-nic.ts';
import { sva } from './workloads/sva.ts';
import { vm } from './workloads/vm.ts';
import { zipf } from './workloads/zipf.ts';

/** All workloads, in the order in which they are listed. */
export const WORKLOADS: readonly Workload[] = [ringNic, nvme, multiTenant, sva, vm, packetNic, dma, zipf];

/** Throws `IorrError` USAGE for a name that is none. */
export function findWorkload(name: string): Workload {
  const workload = WORKLOADS.find((one) => one.name === name);
  if (workload === undefined) {
    const names = WORKLOADS.map((one) => one.name);
    const near = nearest(name, names);
    throw new IorrError('USAGE', `no workload "${name}"; there are ${names.join(', ')}`, {
      hint: near === undefined ? 'iorr simulate --list' : `did you mean '${near}'?`,
    });
  }
  return workload;
}
