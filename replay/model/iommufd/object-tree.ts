import type { DeviceTraits } from './backend.ts';
import type { Context } from './context.ts';
import type { Machine } from './machine.ts';
import type { IommufdObject, ObjectTypes } from './objects.ts';
import type { IommufdFile, OpenFile } from './process.ts';

/** An object of a context: what it depends on, by id, and what distinguishes it. Plain data. */
export interface ObjectNode {
  readonly id: number;
  readonly type: keyof ObjectTypes;
  /** References that others hold; DESTROY is EBUSY while there are any. */
  readonly heldBy: number;
  /** Objects that it is made on or attached to. */
  readonly uses: readonly number[];
  readonly facts: { readonly [name: string]: number | string | boolean };
}

/** One open /dev/iommu: who holds it, and its objects in ascending order of ids. */
export interface ContextTree {
  /** Descriptors of processes that refer to it. A negative number stands for one that the source did not tell. */
  readonly fds: readonly { readonly pid: number; readonly fd: number }[];
  /** False where it was opened before the recording began. */
  readonly whole: boolean;
  readonly objects: readonly ObjectNode[];
}

/** Every open iommufd of a machine, in the order in which processes and their fds come. */
export function objectTrees(machine: Machine): ContextTree[] {
  const holders = new Map<Context, { pid: number; fd: number }[]>();
  for (const { pid, fds } of machine.processes.values()) {
    for (const [fd, file] of fds) {
      if (!isIommufd(file)) continue;
      const list = holders.get(file.context) ?? [];
      list.push({ pid, fd });
      holders.set(file.context, list);
    }
  }
  return [...holders].map(([context, fds]) => ({
    fds,
    whole: !context.partial,
    objects: [...context.objects.values()].map((object) => nodeOf(object, context)),
  }));
}

/** How a device's interrupts go, and what firmware wants of it, where its driver says so. */
function regionFacts({ msiRoute, oneToOne }: DeviceTraits): ObjectNode['facts'] {
  return {
    ...(msiRoute === undefined || msiRoute === 'none' ? {} : { msi: msiRoute }),
    ...(oneToOne === true ? { oneToOne } : {}),
  };
}

function isIommufd(file: OpenFile): file is IommufdFile {
  return file.kind === 'iommufd';
}

function nodeOf(object: IommufdObject, context: Context): ObjectNode {
  const { id, type, users } = object;
  return { id, type, heldBy: users - 1, ...describe(object, context) };
}

function describe(object: IommufdObject, context: Context): Pick<ObjectNode, 'uses' | 'facts'> {
  const { objects } = context;
  const { id } = object;
  const ioas = objects.find(id, 'ioas');
  if (ioas !== undefined) {
    let areas = 0;
    let bytes = 0;
    for (const { start, last } of ioas.areas.values()) {
      areas++;
      bytes += Number(last - start) + 1;
    }
    return { uses: [], facts: { areas, bytes, ...(context.compatIoas === ioas ? { compat: true } : {}) } };
  }
  const paging = objects.find(id, 'hwptPaging');
  if (paging !== undefined) {
    const { auto, nestParent, fault } = paging;
    return {
      uses: [paging.ioas.id, ...(fault === undefined ? [] : [fault.id])],
      facts: { ...(auto ? { auto } : {}), ...(nestParent ? { nestParent } : {}) },
    };
  }
  const nested = objects.find(id, 'hwptNested');
  if (nested !== undefined) {
    const { parent, viommu, fault } = nested;
    return { uses: [(viommu ?? parent).id, ...(fault === undefined ? [] : [fault.id])], facts: {} };
  }
  const device = objects.find(id, 'device');
  if (device !== undefined) {
    const attached = [...device.group.attachments].filter(([, { devices }]) => devices.has(device));
    const facts = Object.fromEntries(
      attached.map(([pasid, { hwpt }]) => [pasid === 0 ? 'rid' : `pasid ${pasid}`, hwpt.id]),
    );
    const shared = [...device.group.sva.values()].map(({ pasid, process }) => [
      `pasid ${pasid}`,
      `sva of process ${process}`,
    ]);
    return {
      uses: [...new Set(attached.map(([, { hwpt }]) => hwpt.id))],
      facts: { ...facts, ...Object.fromEntries(shared), ...regionFacts(device.traits) },
    };
  }
  const access = objects.find(id, 'access');
  if (access !== undefined)
    return { uses: access.ioas === undefined ? [] : [access.ioas.id], facts: { pins: access.pins } };
  const viommu = objects.find(id, 'viommu');
  if (viommu !== undefined) return { uses: [viommu.parent.id], facts: {} };
  const vdevice = objects.find(id, 'vdevice');
  if (vdevice !== undefined) {
    return {
      uses: [vdevice.viommu.id, vdevice.device.id],
      facts: { virtualId: `0x${vdevice.virtualId.toString(16)}` },
    };
  }
  const eventq = objects.find(id, 'veventq');
  if (eventq !== undefined) return { uses: [eventq.viommu.id], facts: { depth: eventq.depth } };
  const queue = objects.find(id, 'hwQueue');
  if (queue !== undefined) return { uses: [queue.viommu.id], facts: {} };
  const fault = objects.find(id, 'fault');
  return { uses: [], facts: fault === undefined ? {} : { waiting: fault.waiting } };
}
