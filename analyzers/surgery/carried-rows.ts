import { ATTACH, DIRTY_OP, INV_FORM, RESET } from '../../traces/schema.ts';
import type { Segment } from '../../traces/segment.ts';

/** Calls that ask: nothing changes, but the answers tell what the machine is. One of all that ask alike is enough. */
const ASKING: ReadonlySet<number> = new Set([
  0x3b64, // VFIO_GET_API_VERSION
  0x3b65, // VFIO_CHECK_EXTENSION
  0x3b67, // VFIO_GROUP_GET_STATUS
  0x3b6b, // VFIO_DEVICE_GET_INFO
  0x3b6c, // VFIO_DEVICE_GET_REGION_INFO
  0x3b6d, // VFIO_DEVICE_GET_IRQ_INFO
  0x3b84, // IOMMU_IOAS_IOVA_RANGES
  0x3b8a, // IOMMU_GET_HW_INFO
]);
/** IOMMU_HWPT_INVALIDATE: makes caches forget, and they are empty at a cut. */
const INVALIDATE = 0x3b8d;
/** IOMMU_HWPT_GET_DIRTY_BITMAP: clears what it tells. */
const HARVEST = 0x3b8c;
/** IOMMU_TEST_CMD: of the mock driver alone it is known what was dirty and cached, and what calls did before they failed. */
const MOCK = 0x3ba0;
/** Bytes of a struct by which questions are told apart. */
const ASKED_BYTES = 64;
const OPPOSITE: { readonly [kind: number]: number } = {
  [ATTACH.groupRemove]: ATTACH.groupAdd,
  [ATTACH.detach]: ATTACH.attach,
  [ATTACH.tagUnassign]: ATTACH.tagAssign,
};

/**
 * Which single events of before a cut, by their index, say what holds at it: the last word on each attachment, on dirty tracking,
 * on each queue, the phase; and of calls all that changed anything, since the numbers that a kernel gives to objects depend on the
 * objects that were before. Memory grows with attachments and calls, not with the trace.
 */
export class CarriedRows {
  readonly #last = new Map<string, number>();
  readonly #calls: number[] = [];
  readonly #mockCalls: number[] = [];
  #mock = false;

  attach({ rows }: Segment, row: number, event: number): void {
    const { kind, unit, device, pasid, domain, type } = rows.attach.columns;
    const of = OPPOSITE[kind[row]!] ?? kind[row]!;
    const name = `${device[row]} ${pasid[row]} ${domain[row]} ${type[row]} ${unit[row]}`;
    // who was detached has been attached: both are told, as the engines look at no detachment
    this.#keep(kind[row] === of ? `attach ${of} ${name}` : `detach ${of} ${name}`, event);
  }

  inv({ rows }: Segment, row: number, event: number): void {
    const { form, w0Lo, unit, queue } = rows.inv.columns;
    if (form[row] !== INV_FORM.reset || w0Lo[row] !== RESET.queueSetup) return;
    this.#keep(`queue ${unit[row]} ${queue[row]}`, event);
  }

  dirty({ rows }: Segment, row: number, event: number): void {
    const { op, hwpt, name, space } = rows.dirty.columns;
    if (op[row] === DIRTY_OP.start || op[row] === DIRTY_OP.stop)
      this.#keep(`tracking ${hwpt[row]} ${space[row]}`, event);
    else if (op[row] === DIRTY_OP.state) this.#keep(`state ${name[row]}`, event);
  }

  mark(event: number): void {
    this.#keep('mark', event);
  }

  ioctl({ rows }: Segment, row: number, event: number): void {
    const { request, retHi, fd, path, argLo, before } = rows.ioctl.columns;
    const number = request[row]!;
    if (ASKING.has(number)) {
      const from = before.offsets[row] ?? 0;
      const struct = before.data.subarray(from, Math.min(before.offsets[row + 1] ?? 0, from + ASKED_BYTES));
      // what CHECK_EXTENSION asks for is its argument; others point to a struct
      const asked = struct.length > 0 ? Buffer.from(struct).toString('hex') : String(argLo[row]);
      this.#keep(`ask ${number} ${fd[row]} ${path[row]} ${asked}`, event);
      return;
    }
    if (number === MOCK) this.#mock = true;
    if (retHi[row]! < 0 || number === INVALIDATE || number === HARVEST) this.#mockCalls.push(event);
    else this.#calls.push(event);
  }

  call(event: number): void {
    this.#calls.push(event);
  }

  /** Indexes of the events, in order. */
  events(): number[] {
    const more = this.#mock ? this.#mockCalls : [];
    return [...this.#last.values(), ...this.#calls, ...more].sort((a, b) => a - b);
  }

  #keep(key: string, event: number): void {
    this.#last.set(key, event);
  }
}
