import type { Random } from '../../../traces/random.ts';
import { ACCESS } from '../../../traces/schema.ts';
import type { PageNumber } from '../../../traces/units.ts';
import type { DmaApi } from '../dma-api.ts';
import type { Tenant } from '../tenant.ts';
import { QueueMemory } from './queue-memory.ts';

/** Bytes of a submission and of a completion entry, and of an entry of a PRP list (NVM Express base specification, 4). */
const SUBMISSION = 64;
const COMPLETION = 16;
const PRP = 8;
/** Pages of data up to which a command names them by itself; for more it points to a PRP list. */
const PRPS_IN_COMMAND = 2;

/** Queues and load of one drive; all are settings of the workload. */
export interface NvmeShape {
  /** One I/O queue for each CPU. */
  readonly queues: number;
  /** Commands that a queue has in flight. */
  readonly depth: number;
  readonly blockBytes: number;
  /** Share of reads; the rest writes. */
  readonly reads: number;
  /** Completions that one interrupt reports; the CPU of the queue then unmaps all of them. */
  readonly coalesce: number;
  /** Mean ns between two commands of the drive. */
  readonly gap: number;
}

interface Command {
  readonly page: PageNumber;
  readonly access: number;
}

interface Queue {
  readonly cpu: number;
  readonly submissions: QueueMemory;
  readonly completions: QueueMemory;
  readonly lists: QueueMemory | undefined;
  readonly inFlight: Command[];
  /** Done, and not yet reported by an interrupt. */
  readonly done: Command[];
}

/**
 * An NVMe drive under a load of one block size: each command maps its data as a scatter list, the drive reads the command and moves
 * the data, in any order among the commands of a queue, and the CPU of the queue unmaps it when an interrupt reports it.
 */
export class Nvme implements Tenant {
  readonly #api: DmaApi;
  readonly #shape: NvmeShape;
  readonly #random: Random;
  readonly #pages: number;
  readonly #queues: Queue[] = [];

  constructor(api: DmaApi, shape: NvmeShape, random: Random) {
    this.#api = api;
    this.#shape = shape;
    this.#random = random;
    this.#pages = Math.ceil(shape.blockBytes / 4096);
  }

  *start(): Generator<void> {
    const { queues, depth } = this.#shape;
    this.#api.attach();
    for (let cpu = 0; cpu < queues; cpu++) {
      const memory = (entries: number, bytes: number): QueueMemory => new QueueMemory(this.#api, cpu, entries, bytes);
      this.#queues.push({
        cpu,
        submissions: memory(depth, SUBMISSION),
        completions: memory(depth, COMPLETION),
        lists: this.#pages > PRPS_IN_COMMAND ? memory(depth * this.#pages, PRP) : undefined,
        inFlight: [],
        done: [],
      });
      yield;
    }
  }

  /** One command is submitted; where its queue is full another one is finished before. */
  step(): void {
    const { depth, gap } = this.#shape;
    const random = this.#random;
    const queue = this.#queues[random.below(this.#queues.length)];
    if (queue === undefined) return;
    this.#api.guest.pass(1 + random.below(2 * gap));
    while (queue.inFlight.length + queue.done.length >= depth) this.#finish(queue);
    this.#submit(queue);
  }

  #submit(queue: Queue): void {
    const { reads } = this.#shape;
    // a read of the drive is a write to memory
    const access = this.#random.chance(reads) ? ACCESS.write : ACCESS.read;
    queue.inFlight.push({ page: this.#api.map(queue.cpu, this.#pages, access), access });
    queue.submissions.next(ACCESS.read);
    if (queue.lists !== undefined) for (let i = 1; i < this.#pages; i++) queue.lists.next(ACCESS.read);
  }

  #finish(queue: Queue): void {
    const { blockBytes, coalesce } = this.#shape;
    const [command] = queue.inFlight.splice(this.#random.below(queue.inFlight.length), 1);
    if (command !== undefined) {
      for (let at = 0; at < blockBytes; at += 4096) {
        this.#api.access(command.page + (at >> 12), 0, Math.min(4096, blockBytes - at), command.access);
      }
      queue.completions.next(ACCESS.write);
      queue.done.push(command);
    }
    if (queue.done.length < coalesce && queue.inFlight.length > 0) return;
    for (const { page } of queue.done.splice(0)) this.#api.unmap(queue.cpu, page, this.#pages);
  }
}
