import { SMMUV3_OPCODE, smmuAsid, smmuOpcode, smmuSid } from '../../traces/dialects/smmuv3-fields.ts';
import { ATTACH, DIALECT, DOMAIN_KIND } from '../../traces/schema.ts';
import type { Columns } from '../../traces/schema.ts';
import { formatRequester } from '../../traces/units.ts';
import type { Nanoseconds, RequesterId } from '../../traces/units.ts';
import { EVERY_PAGE, SCOPE } from '../model/command-scope.ts';
import type { CommandScope } from '../model/command-scope.ts';
import { PendingUnmaps, SETTLED } from '../model/pending-unmaps.ts';
import type { PendingUnmap } from '../model/pending-unmaps.ts';
import type { FindingList } from './safety-findings.ts';

/** A device behind a guest's stage 1. */
interface GuestDevice {
  readonly vmid: number;
  /** Which of the guest's tables of context descriptors. */
  readonly table: number;
  /** Pages that its TLB was not told of yet; undefined without ATS. */
  waiting: PendingUnmaps | undefined;
  /** A context descriptor was dropped: what comes next may be an address space that the device has left. */
  descriptorDropped: boolean;
  /** Since a whole ATC_INV behind that: address spaces whose pages changed. */
  left: Set<number> | undefined;
}

/** Of a PendingUnmap's submitter: the address space, or this for all. */
const EVERY_ASID = -1;
const NOBODY = -2;

/**
 * TLBs of devices with ATS in SMMUv3 guests. A TLBI by address space reaches none of them, and the host adds nothing to a
 * guest's list: each IOTLB invalidation is the evidence that these pages changed, and the guest owes an ATC_INV for them to each
 * device that may hold them. One that never comes is a finding of kind `missing`, at the event of the TLBI's call.
 *
 * Which devices use an ASID stands in the guest's memory. Where all devices of a guest share one table of context descriptors
 * all of them must be told; where they have several, one of them, and nothing is judged if some have no ATS. An ATC_INV counts
 * whatever its SSID. The flush of an ASID that a device has left (context descriptor and whole ATC dropped before) owes none.
 */
export class GuestDeviceTlbs {
  readonly #findings: FindingList;
  readonly #devices = new Map<RequesterId, GuestDevice>();
  /** By VMID of guests with several tables: pages that no device was told of. */
  readonly #shared = new Map<number, PendingUnmaps>();
  /** What lists that are gone gave up. */
  #givenUp = 0;
  #now: Nanoseconds = 0;
  /** Invalidations of which nobody can tell whether a device with ATS is concerned. */
  unjudged = 0;

  constructor(findings: FindingList) {
    this.#findings = findings;
  }

  /** Ranges that are not judged because too many waited at once. */
  get givenUp(): number {
    let sum = this.#givenUp;
    for (const { waiting } of this.#devices.values()) sum += waiting?.dropped ?? 0;
    for (const { dropped } of this.#shared.values()) sum += dropped;
    return sum;
  }

  /** A derived row of `attach`. */
  attach(attach: Columns<'attach'>, row: number, event: number, now: Nanoseconds): void {
    this.#now = now;
    const device = attach.device[row]!; // row is in range
    const domain = attach.domain[row]!;
    const withoutPasid = attach.pasid[row]! <= 0;
    switch (attach.kind[row]) {
      case ATTACH.attach:
        if (!withoutPasid) return;
        this.#leave(device, event);
        if (attach.type[row] !== DOMAIN_KIND.nested || domain >>> 16 === 0 || (domain & 0xffff) === 0) return;
        this.#devices.set(device, {
          vmid: domain >>> 16,
          table: domain & 0xffff,
          waiting: undefined,
          descriptorDropped: false,
          left: undefined,
        });
        return;
      case ATTACH.detach:
        if (withoutPasid) this.#leave(device, event);
        return;
      case ATTACH.tagAssign: {
        const held = this.#devices.get(device);
        if (held !== undefined) held.waiting ??= this.#pending(formatRequester(device));
        return;
      }
      case ATTACH.tagUnassign:
        this.#leave(device, event);
        return;
      default:
    }
  }

  /** A command of a guest. `scope` is what it says; `event` that of the call. */
  command(dialect: number, scope: CommandScope, w0Lo: number, w0Hi: number, event: number, now: Nanoseconds): void {
    if (dialect !== DIALECT.smmuv3) return;
    this.#now = now;
    if (scope.kind === SCOPE.iotlb) this.#changed(scope, w0Lo, w0Hi, event);
    else if (scope.kind === SCOPE.deviceTlb) this.#told(scope, event);
    else {
      const opcode = smmuOpcode(w0Lo);
      if (opcode !== SMMUV3_OPCODE.cfgiCd && opcode !== SMMUV3_OPCODE.cfgiCdAll) return;
      const held = this.#devices.get(smmuSid(w0Hi));
      if (held !== undefined) held.descriptorDropped = true;
    }
  }

  finish(event: number, now: Nanoseconds): void {
    this.#now = now;
    for (const { waiting } of this.#devices.values()) waiting?.finish(event);
    for (const waiting of this.#shared.values()) waiting.finish(event);
  }

  #changed(scope: CommandScope, w0Lo: number, w0Hi: number, event: number): void {
    const vmid = scope.domain >= 0 ? scope.domain >>> 16 : scope.vmid;
    const asid = scope.domain >= 0 ? smmuAsid(w0Hi) : EVERY_ASID;
    const devices = [...this.#devices.values()].filter((device) => device.vmid === vmid);
    if (devices.every(({ waiting }) => waiting === undefined)) return;
    const wide = smmuOpcode(w0Lo) === SMMUV3_OPCODE.tlbiNhAsid;
    const { first, last } = scope;
    if (devices.some(({ table }) => table !== devices[0]?.table)) {
      if (devices.some(({ waiting }) => waiting === undefined)) this.unjudged++;
      else if (!wide || !devices.some((device) => leaves(device, asid, wide))) {
        this.#ofGuest(vmid).addRest(first, last, this.#now, event, asid);
      }
      return;
    }
    for (const device of devices) {
      if (!leaves(device, asid, wide)) device.waiting?.addRest(first, last, this.#now, event, asid);
    }
  }

  #told({ device, first, last }: CommandScope, event: number): void {
    const held = this.#devices.get(device);
    if (held?.waiting === undefined) return;
    if (first === 0 && last === EVERY_PAGE && held.descriptorDropped) {
      held.descriptorDropped = false;
      held.left = new Set();
    }
    held.waiting.cover(first, last, event, NOBODY);
    this.#shared.get(held.vmid)?.cover(first, last, event, NOBODY);
  }

  /** The host empties a device's TLB when it goes to another domain; until then it could use what it held. */
  #leave(device: RequesterId, event: number): void {
    const held = this.#devices.get(device);
    if (held === undefined) return;
    this.#devices.delete(device);
    this.#end(held.waiting, event);
    for (const other of this.#devices.values()) if (other.vmid === held.vmid) return;
    this.#end(this.#shared.get(held.vmid), event);
    this.#shared.delete(held.vmid);
  }

  #end(waiting: PendingUnmaps | undefined, event: number): void {
    waiting?.finish(event);
    this.#givenUp += waiting?.dropped ?? 0;
  }

  #ofGuest(vmid: number): PendingUnmaps {
    let waiting = this.#shared.get(vmid);
    if (waiting === undefined) {
      waiting = this.#pending(`no device of the guest with VMID ${vmid}`);
      this.#shared.set(vmid, waiting);
    }
    return waiting;
  }

  #pending(whose: string): PendingUnmaps {
    return new PendingUnmaps((range, _pages, how) => {
      if (how !== SETTLED.open) return;
      const told = whose.startsWith('no ') ? `${whose} was` : `the TLB of ${whose} was never`;
      this.#findings.add(
        'missing',
        range.event,
        -1,
        Math.max(0, this.#now - range.time),
        `${told} told of ${pagesOf(range)}, which a TLBI of ${space(range)} dropped from the IOTLB: no ATC_INV followed`,
      );
    });
  }
}

/** Whether a flush of an address space is the one after the device has left it. */
function leaves(device: GuestDevice, asid: number, wide: boolean): boolean {
  const { left } = device;
  if (left === undefined) return false;
  if (!wide) {
    if (asid >= 0) left.add(asid);
    return false;
  }
  if (left.has(asid)) return false;
  device.left = undefined;
  return true;
}

function space({ submitter: asid }: PendingUnmap): string {
  return asid < 0 ? 'every ASID' : `ASID ${asid}`;
}

function pagesOf({ first, last }: PendingUnmap): string {
  if (first === 0 && last === EVERY_PAGE) return 'all pages';
  return `pages 0x${first.toString(16)} to 0x${last.toString(16)}`;
}
