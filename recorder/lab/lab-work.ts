/** A program of `programs/` for the guest, by its name there and its source's. */
export interface GuestProgram {
  readonly name: string;
  readonly source: string;
}

/** What is done and recorded in a guest. One file per member in `works/`; `lab-works.ts` has them all. */
export interface LabWork {
  /** What `--work` takes. */
  readonly name: string;
  readonly description: string;
  /** Debian packages that the guest needs beside Node and busybox. */
  readonly packages: readonly string[];
  /** Drivers that are loaded, with all that they need, where the kernel has them as modules. */
  readonly modules: readonly string[];
  /** A kernel built for it, in place of Debian's own. */
  readonly ownKernel: boolean;
  /** The emulator's log is of use: it is joined with the recording. */
  readonly emulatorLog: boolean;
  readonly memoryMb: number;
  /** Programs in the guest's `/programs`. */
  programs(): readonly GuestProgram[];
  /** What is recorded one after the other, each by a script in `/programs`: by the name of its trace, without `.iorr`. */
  recordings(): ReadonlyMap<string, string>;
  /** The guest's first process, with its modules in order. */
  init(seconds: number, limitSeconds: number, modules: readonly string[]): string;
  /** Commands of iorr that check the result, in the folder of the results. The first that fails is the last. */
  readonly checks: readonly (readonly string[])[];
}
