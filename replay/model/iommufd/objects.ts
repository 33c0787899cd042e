import type { Access } from './access.ts';
import type { Device } from './device.ts';
import type { HwptNested, HwptPaging } from './hwpt.ts';
import type { Ioas } from './ioas.ts';
import type { FaultQueue } from './fault-queue.ts';
import type { HwQueue } from './hw-queue.ts';
import type { Vdevice } from './vdevice.ts';
import type { Veventq } from './veventq.ts';
import type { Viommu } from './viommu.ts';

/**
 * An object with an id. `users` starts at 1, the table's own; who depends on the object adds one and takes it back. DESTROY
 * succeeds only at 1 (drivers/iommu/iommufd/main.c, iommufd_object_remove).
 */
export interface IommufdObject {
  readonly type: keyof ObjectTypes;
  id: number;
  users: number;
  /** Undoes what creation did: gives users back, detaches, unpins. Called once, after the id left the table. */
  destroy(): void;
}

/** What a look-up of a type gives. An object of another type is as good as none. */
export interface ObjectTypes {
  ioas: Ioas;
  hwptPaging: HwptPaging;
  hwptNested: HwptNested;
  device: Device;
  access: Access;
  fault: FaultQueue;
  viommu: Viommu;
  veventq: Veventq;
  vdevice: Vdevice;
  hwQueue: HwQueue;
  selftest: IommufdObject;
}

/** Ids of one context: the lowest free one from 1 (an xarray with XA_FLAGS_ALLOC1). */
export class ObjectTable {
  readonly #objects: (IommufdObject | undefined)[] = [undefined];
  readonly #tombstones = new Set<number>();
  /** Freed ids below `#objects.length`, a binary min-heap. */
  readonly #free: number[] = [];
  #count = 0;

  /** Objects alive. */
  get count(): number {
    return this.#count;
  }

  /** Whether the table never held anything or everything is gone; a tombstone keeps it non-empty. */
  get empty(): boolean {
    return this.#count === 0 && this.#tombstones.size === 0;
  }

  /** Gives the object the lowest free id and publishes it. */
  add<T extends IommufdObject>(object: T): T {
    const id = this.#pop() ?? this.#objects.length;
    this.#objects[id] = object;
    object.id = id;
    this.#count++;
    return object;
  }

  get(id: number): IommufdObject | undefined {
    return this.#objects[id];
  }

  find<T extends keyof ObjectTypes>(id: number, type: T): ObjectTypes[T] | undefined {
    const object = this.#objects[id];
    return object?.type === type ? (object as ObjectTypes[T]) : undefined;
  }

  /** Takes the object out and undoes it, whatever its users. */
  remove(object: IommufdObject): void {
    if (this.#objects[object.id] !== object) return;
    this.#objects[object.id] = undefined;
    this.#count--;
    this.#push(object.id);
    object.destroy();
  }

  /** Takes the object out; its id is never handed out again. */
  entomb(object: IommufdObject): void {
    if (this.#objects[object.id] !== object) return;
    this.#objects[object.id] = undefined;
    this.#count--;
    this.#tombstones.add(object.id);
    object.destroy();
  }

  /** Whether an id was given up for good. */
  entombed(id: number): boolean {
    return this.#tombstones.has(id);
  }

  *values(): Generator<IommufdObject> {
    for (const object of this.#objects) if (object !== undefined) yield object;
  }

  #push(id: number): void {
    const heap = this.#free;
    let at = heap.length;
    heap.push(id);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as number) <= id) break;
      heap[at] = heap[parent] as number;
      at = parent;
    }
    heap[at] = id;
  }

  #pop(): number | undefined {
    const heap = this.#free;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child++;
      if ((heap[child] as number) >= last) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
