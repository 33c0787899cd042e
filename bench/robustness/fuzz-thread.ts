import { Worker } from 'node:worker_threads';
import type { FuzzFinding, FuzzReply, FuzzRequest, FuzzSetup } from './fuzz-protocol.ts';

/** What exceeds this ends the thread, and that is a finding. */
const HEAP_MIB = 512;
/** Whole inputs are made before the first damaged one, and a busy machine takes its time. */
const STARTING_MS = 60_000;
const LOOK_MS = 100;

/** A thread that was asked for something. */
export type FuzzEnd =
  | { readonly kind: 'reply'; readonly reply: FuzzReply }
  /** `number`: the case at which it hung or broke; undefined between cases. */
  | { readonly kind: 'hung'; readonly number: number | undefined }
  | { readonly kind: 'broken'; readonly number: number | undefined; readonly problem: string };

/** A fuzzing worker with a watchdog; after a hang or a crash it is started anew. */
export class FuzzThread {
  readonly #file: string;
  readonly #setup: Omit<FuzzSetup, 'board'>;
  readonly #hangMs: number;
  readonly #heapMib: number;
  #worker: Worker | undefined;
  #board = new Int32Array(new SharedArrayBuffer(4));

  /** `file`: the bundled worker. */
  constructor(file: string, setup: Omit<FuzzSetup, 'board'>, hangMs: number, heapMib: number = HEAP_MIB) {
    this.#heapMib = heapMib;
    this.#file = file;
    this.#setup = setup;
    this.#hangMs = hangMs;
  }

  /** Asks the thread, and waits for its answer or its end; findings on the way go to `onFinding`. */
  async ask(request: FuzzRequest, onFinding: (finding: FuzzFinding) => void = () => {}): Promise<FuzzEnd> {
    const worker = (this.#worker ??= this.#start());
    const board = this.#board;
    const end = await new Promise<FuzzEnd>((resolve) => {
      let last = -1;
      let since = performance.now();
      const working = (): number | undefined => {
        const number = Atomics.load(board, 0);
        return number === 0 ? undefined : number - 1;
      };
      const watchdog = setInterval(() => {
        const number = Atomics.load(board, 0);
        const now = performance.now();
        if (number !== last) {
          last = number;
          since = now;
        } else if (now - since > (number === 0 ? STARTING_MS : this.#hangMs)) {
          done({ kind: 'hung', number: working() });
        }
      }, LOOK_MS);
      const message = (reply: FuzzReply): void => {
        if (reply.kind === 'finding') onFinding(reply.finding);
        else done({ kind: 'reply', reply });
      };
      const failed = (error: Error): void =>
        done({ kind: 'broken', number: working(), problem: error.stack ?? error.message });
      const exited = (code: number): void =>
        done({ kind: 'broken', number: working(), problem: `the thread ended with ${code}` });
      const done = (how: FuzzEnd): void => {
        clearInterval(watchdog);
        worker.off('message', message);
        worker.off('exit', exited);
        resolve(how);
      };
      worker.on('message', message);
      // stays: a thread that is being ended may still fail
      worker.on('error', failed);
      worker.on('exit', exited);
      worker.postMessage(request);
    });
    worker.removeAllListeners('error');
    worker.on('error', () => {});
    if (end.kind !== 'reply') await this.stop();
    return end;
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): Worker {
    const board = new SharedArrayBuffer(4);
    this.#board = new Int32Array(board);
    return new Worker(this.#file, {
      workerData: { ...this.#setup, board } satisfies FuzzSetup,
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMib },
      execArgv: ['--enable-source-maps'],
    });
  }
}
