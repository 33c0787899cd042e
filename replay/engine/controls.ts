import { dialectById } from '../../traces/dialects/dialects.ts';
import { ATTACH, DIALECT, INV_FORM, RESET } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import { ABSENT, pageNumber } from '../../traces/units.ts';
import type { AccessModel } from '../access/access-model.ts';
import type { Machine } from '../model/machine.ts';
import { changesTables } from './table-changes.ts';

/** What was counted while control events drove a machine. */
export interface ControlCounts {
  /** Commands but for waits. */
  commands: number;
  /** By type number of the machine's dialect, without waits. */
  readonly byType: Int32Array;
  /** Wait, sync and fence commands. */
  syncs: number;
  doorbells: number;
  /** Tail writes beyond the queue that was set up: the hardware would refuse them (VT-d spec 11.4.9.3, IQE). */
  tailsBeyond: number;
  /** Actions on the whole unit that emptied its caches. */
  resets: number;
  maps: number;
  unmaps: number;
  /** Maps and unmaps whose domain is not known: they are in no page table. */
  unattributed: number;
  /** Commands of a dialect that the machine does not speak. */
  foreign: number;
}

/**
 * Feeds recorded control events (maps, unmaps, attachments, commands) to a machine, one row at a time, at the time of the machine's
 * clock: set it before.
 */
export interface Controls {
  readonly counts: ControlCounts;
  map(columns: Columns<'map'>, row: number): void;
  unmap(columns: Columns<'unmap'>, row: number, event: number): void;
  attach(columns: Columns<'attach'>, row: number): void;
  inv(columns: Columns<'inv'>, row: number): void;
  /** The dialect has a command that tells when others are done. */
  readonly waits: boolean;
  /** Names of `byType`. */
  readonly typeNames: readonly string[];
  /** By 16-bit requester id: 1 where attach events tell its domain, so that the domain column of accesses is not needed. */
  readonly attached: Uint8Array;
}

/** What controls drive. */
export type Controlled = Pick<
  Machine,
  'dialect' | 'clock' | 'commandNow' | 'domainOf' | 'map' | 'unmap' | 'attach' | 'enableDeviceTlb' | 'reset'
>;

/** Cache tags that only a device with ATS has: `devtlb` and `nesting_devtlb` of `TAG_TYPE_NAMES`. */
const DEVICE_TAGS: readonly number[] = [1, 3];

/** Columns that `Controls` reads. */
export const CONTROL_COLUMNS = {
  map: ['origin', 'domain', 'device', 'iova', 'phys', 'size', 'prot'],
  unmap: ['origin', 'domain', 'device', 'iova', 'size'],
  attach: ['kind', 'device', 'pasid', 'domain', 'type'],
  inv: ['dialect', 'form', 'w0', 'w1', 'w2'],
} as const;

/** Requester of a domain's accesses where a model makes them and the trace names no device: beyond any real one. */
function standIn(device: number, domain: number): number {
  return device === ABSENT ? 0x1_0000 + domain : device;
}

/** `accesses` is told of maps and unmaps where a model stands in for the device. */
export function createControls(machine: Controlled, accesses?: AccessModel): Controls {
  const dialect = dialectById(machine.dialect)!;
  const { completion } = dialect;
  const isVirtio = machine.dialect === DIALECT.virtio;
  const byType = new Int32Array(dialect.typeNames.length);
  const counts: ControlCounts = {
    commands: 0,
    byType,
    syncs: 0,
    doorbells: 0,
    tailsBeyond: 0,
    resets: 0,
    maps: 0,
    unmaps: 0,
    unattributed: 0,
    foreign: 0,
  };
  const attached = new Uint8Array(0x10000);
  const { clock, commandNow } = machine;
  let queueEntries = Number.POSITIVE_INFINITY;

  const domainOf = (domain: number, device: number): number => {
    return domain !== ABSENT || device === ABSENT ? domain : machine.domainOf(device, ABSENT);
  };

  return {
    counts,
    waits: completion >= 0,
    typeNames: dialect.typeNames,
    attached,

    map(columns, row) {
      if (!changesTables(columns.origin[row]!, columns.domain[row]!)) return;
      counts.maps++;
      const device = columns.device[row]!;
      const domain = domainOf(columns.domain[row]!, device);
      if (domain === ABSENT) {
        counts.unattributed++;
        return;
      }
      const time = clock[0]!;
      const iovaLo = columns.iovaLo[row]!;
      const iovaHi = columns.iovaHi[row]!;
      const sizeLo = columns.sizeLo[row]!;
      const sizeHi = columns.sizeHi[row]!;
      const prot = columns.prot[row]!;
      machine.map(time, domain, iovaLo, iovaHi, columns.physLo[row]!, columns.physHi[row]!, sizeLo, sizeHi, prot);
      if (accesses !== undefined) {
        const rid = standIn(device, domain);
        accesses.mapped(time, rid, domain, pageNumber(iovaLo, iovaHi), pageNumber(sizeLo, sizeHi), prot);
      }
    },

    unmap(columns, row, event) {
      if (!changesTables(columns.origin[row]!, columns.domain[row]!)) return;
      counts.unmaps++;
      const device = columns.device[row]!;
      const domain = domainOf(columns.domain[row]!, device);
      if (domain === ABSENT) {
        counts.unattributed++;
        return;
      }
      const time = clock[0]!;
      const iovaLo = columns.iovaLo[row]!;
      const iovaHi = columns.iovaHi[row]!;
      const sizeLo = columns.sizeLo[row]!;
      const sizeHi = columns.sizeHi[row]!;
      if (accesses !== undefined) {
        const rid = standIn(device, domain);
        accesses.unmapping(time, rid, domain, pageNumber(iovaLo, iovaHi), pageNumber(sizeLo, sizeHi));
      }
      machine.unmap(time, domain, iovaLo, iovaHi, sizeLo, sizeHi, event);
    },

    attach(columns, row) {
      const kind = columns.kind[row]!;
      const device = columns.device[row]!;
      const domain = columns.domain[row]!;
      if ((kind !== ATTACH.attach && kind !== ATTACH.tagAssign) || device === ABSENT || domain === ABSENT) return;
      if (kind === ATTACH.tagAssign && DEVICE_TAGS.includes(columns.type[row]!)) machine.enableDeviceTlb(device);
      // PASID 0 of a cache tag stands for requests without PASID (IOMMU_NO_PASID)
      const pasid = columns.pasid[row]! > 0 ? columns.pasid[row]! : ABSENT;
      machine.attach(device, pasid, domain);
      if (pasid === ABSENT && device >>> 16 === 0) attached[device] = 1;
    },

    inv(columns, row) {
      const form = columns.form[row]!;
      const w0Lo = columns.w0Lo[row]!;
      if (form === INV_FORM.doorbell) {
        counts.doorbells++;
        if (w0Lo >>> 0 >= queueEntries) counts.tailsBeyond++;
      } else if (form === INV_FORM.reset) {
        if (w0Lo === RESET.queueSetup) {
          queueEntries = columns.w2Lo[row]! > 0 ? columns.w2Lo[row]! : Number.POSITIVE_INFINITY;
          return;
        }
        counts.resets++;
        machine.reset(clock[0]!);
      } else if (columns.dialect[row] !== machine.dialect) counts.foreign++;
      else {
        const w0Hi = columns.w0Hi[row]!;
        const type = dialect.typeNumber(w0Lo, w0Hi);
        if (type === completion) counts.syncs++;
        else {
          counts.commands++;
          byType[type]!++;
          const w1Lo = columns.w1Lo[row]!;
          const w1Hi = columns.w1Hi[row]!;
          if (isVirtio) commandNow(w0Lo, w0Hi, w1Lo, w1Hi, columns.w2Lo[row], columns.w2Hi[row]);
          else commandNow(w0Lo, w0Hi, w1Lo, w1Hi);
        }
      }
    },
  };
}
