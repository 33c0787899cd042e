import { accessSync, closeSync, constants, existsSync, openSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { IorrError } from '../traces/errors.ts';
import { replaceFile, targetOf } from '../traces/replace-file.ts';
import { systemReason } from '../traces/system-reason.ts';
import { writeAll } from './command-line/process-io.ts';

/** Names of descriptors that are open already: writing anew into what they lead to would cut what was written by them. */
const OPEN = /^\/(?:dev|proc\/self)\/(?:(stdin|stdout|stderr)|fd\/(\d{1,4}))$/;
const STANDARD = ['stdin', 'stdout', 'stderr'];

/**
 * A file that a command writes whole or not at all: into a neighbour, which takes its place at the end, with the mode and the owner
 * of what was there and through symbolic links. Pipes and devices are written as they are. A path that can't be written is refused
 * when it is named, before any work; nothing is made before the first byte.
 */
export class OutputFile {
  readonly path: string;
  readonly #target: string;
  /** Where it is written until it is whole; undefined: in its place. */
  readonly #part: string | undefined;
  #descriptor: number | undefined;
  readonly #given: number | undefined;

  /** Throws `FILE_UNWRITABLE`, or `USAGE` where it names no file. */
  constructor(path: string) {
    this.path = path;
    if (path === '' || path === '-') {
      throw new IorrError('USAGE', `${JSON.stringify(path)}: the name of a file expected`, {
        hint: path === '' ? 'a variable of the shell that is empty?' : '/dev/stdout is stdout, --json its document',
      });
    }
    const [, name, number] = OPEN.exec(path) ?? [];
    this.#given = name !== undefined ? STANDARD.indexOf(name) : number === undefined ? undefined : Number(number);
    this.#target = targetOf(path);
    this.#part =
      this.#given === undefined && this.#attempt(() => isReplaced(this.#target)) ? `${this.#target}.part` : undefined;
  }

  /** Adds bytes. Throws `FILE_UNWRITABLE`, and leaves what was there before. */
  write(chunk: string | Uint8Array): void {
    this.#attempt(() => writeAll(this.#open(), chunk));
  }

  /** Ends the file, which has its name from now on. Throws `FILE_UNWRITABLE`. */
  finish(): void {
    this.#attempt(() => {
      this.#open();
      this.#close();
      if (this.#part !== undefined) replaceFile(this.#part, this.#target);
    });
  }

  /** All of a file at once. Throws `FILE_UNWRITABLE`. */
  writeWhole(content: string | Uint8Array): void {
    this.write(content);
    this.finish();
  }

  /** Takes away what was written. */
  discard(): void {
    const begun = this.#descriptor !== undefined;
    this.#close();
    if (begun && this.#part !== undefined) rmSync(this.#part, { force: true });
  }

  #open(): number {
    if (this.#given !== undefined) return this.#given;
    if (this.#descriptor !== undefined) return this.#descriptor;
    // one that a killed run left is not written through: it may be a link
    if (this.#part !== undefined) rmSync(this.#part, { force: true });
    this.#descriptor = this.#part === undefined ? openSync(this.#target, 'w') : openSync(this.#part, 'wx');
    return this.#descriptor;
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #attempt<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      this.discard();
      throw new IorrError('FILE_UNWRITABLE', systemReason(error), {
        place: { file: this.path },
        hint: 'check the folder, its permissions and its free space',
        cause: error,
      });
    }
  }
}

/** Whether a file is replaced by a neighbour; throws where it can't be written. */
function isReplaced(target: string): boolean {
  const status = statSync(target, { throwIfNoEntry: false });
  if (status?.isDirectory() === true) throw new Error('it is a directory');
  if (status !== undefined) accessSync(target, constants.W_OK);
  else if (!existsSync(dirname(target))) throw new Error('the folder is not there');
  if (status?.isFile() === false) return false;
  try {
    accessSync(dirname(target), constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    // a file of ours in a folder of others'
    if (status !== undefined) return false;
    throw error;
  }
}
