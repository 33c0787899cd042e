/** Which kind of file each fd of each process is, as far as calls tell: for sources that print numbers only. */
export class OpenFiles {
  readonly #kinds = new Map<number, Map<number, string>>();

  get(pid: number, fd: number): string | undefined {
    return this.#kinds.get(pid)?.get(fd);
  }

  set(pid: number, fd: number, kind: string | undefined): void {
    let files = this.#kinds.get(pid);
    if (files === undefined) {
      files = new Map();
      this.#kinds.set(pid, files);
    }
    if (kind === undefined) files.delete(fd);
    else files.set(fd, kind);
  }

  /** A child begins with its parent's fds. */
  fork(parent: number, child: number): void {
    this.#kinds.set(child, new Map(this.#kinds.get(parent)));
  }

  exit(pid: number): void {
    this.#kinds.delete(pid);
  }
}
