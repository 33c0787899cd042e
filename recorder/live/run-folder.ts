import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { System } from './system.ts';
import { formatInstanceName, leftBehind, ownerOf } from './tracefs/instance-name.ts';

/** What mkdtemp(3) adds. */
const SUFFIX = /-\w{6}$/;

/** A folder for a recording's own files, made when it is first asked for; what a killed recorder left is removed then. */
export class RunFolder {
  readonly #system: System;
  #path: string | undefined;

  constructor(system: System) {
    this.#system = system;
  }

  get path(): string {
    if (this.#path === undefined) {
      this.#removeLeftBehind();
      this.#path = mkdtempSync(join(tmpdir(), `${formatInstanceName(ownerOf(this.#system, process.pid))}-`));
    }
    return this.#path;
  }

  remove(): void {
    if (this.#path !== undefined) rmSync(this.#path, { recursive: true, force: true });
  }

  #removeLeftBehind(): void {
    for (const name of this.#system.list(tmpdir()).filter((one) => SUFFIX.test(one))) {
      if (leftBehind(this.#system, [name.replace(SUFFIX, '')]).length === 0) continue;
      try {
        rmSync(join(tmpdir(), name), { recursive: true, force: true });
      } catch {
        // Another user's.
      }
    }
  }
}
