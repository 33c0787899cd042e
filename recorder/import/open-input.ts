import { readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { IorrError } from '../../traces/errors.ts';
import { descriptorSource } from '../../traces/file.ts';
import type { ByteSource } from '../../traces/format/bytes-io.ts';

/** Bytes asked for at once. */
const READ_BYTES = 256 * 1024;

/** One input as raw bytes, read once from beginning to end. */
export interface InputFile {
  /** As it appears in messages: the path, or `stdin`. */
  readonly name: string;
  /** Bytes in the file; 0 if that is not known (stdin, pipes). */
  readonly size: number;
  /** Device and inode, to tell whether two paths are one file; empty for stdin. */
  readonly identity: string;
  /** Bytes read so far. */
  read(): number;
  /** Each chunk is valid until the next one is asked for. */
  chunks(): AsyncGenerator<Uint8Array>;
  /** The file's bytes in any order; undefined for what can only be read once (stdin, pipes). */
  bytes(): ByteSource | undefined;
  close(): Promise<void>;
}

function unreadable(name: string, error: unknown): IorrError {
  const code = (error as { code?: unknown }).code;
  const what =
    code === 'ENOENT'
      ? 'no such file'
      : code === 'EACCES' || code === 'EPERM'
        ? 'permission denied'
        : error instanceof Error
          ? error.message
          : String(error);
  return new IorrError('FILE_UNREADABLE', what, {
    place: { file: name },
    hint: code === 'ENOENT' ? 'check the path' : 'check that you may read it',
    cause: error,
  });
}

/**
 * Opens a file for reading; `-` is stdin. An abort ends the bytes of stdin, also while nothing comes. Throws `IorrError`
 * FILE_UNREADABLE for a directory or what can't be opened.
 */
export async function openInput(path: string, signal: AbortSignal): Promise<InputFile> {
  return path === '-' ? openStdin(signal) : openFile(path);
}

async function openFile(path: string): Promise<InputFile> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    throw unreadable(path, error);
  }
  const status = await handle.stat();
  if (status.isDirectory()) {
    await handle.close();
    throw new IorrError('FILE_UNREADABLE', 'a capture expected, found a directory', {
      place: { file: path },
      hint: 'name the files in it, such as trace.txt.zst and qemu_trace.log.zst',
    });
  }
  let read = 0;
  return {
    name: path,
    size: status.isFile() ? status.size : 0,
    identity: `${status.dev}:${status.ino}`,
    read: () => read,
    async *chunks() {
      const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
      // A file is there: to copy a chunk takes less than to have another thread do it. What may pause must not hold all up.
      const now = status.isFile();
      for (;;) {
        let got: number;
        try {
          got = now ? readSync(handle.fd, buffer) : (await handle.read(buffer, 0, READ_BYTES, null)).bytesRead;
        } catch (error) {
          throw unreadable(path, error);
        }
        if (got === 0) return;
        read += got;
        yield buffer.subarray(0, got);
        // signals and the progress bar have their turn
        if (now) await turn();
      }
    },
    bytes() {
      if (!status.isFile()) return undefined;
      const source = descriptorSource(handle.fd, path, status.size);
      return {
        ...source,
        read(offset, length) {
          const bytes = source.read(offset, length);
          read += bytes.length;
          return bytes;
        },
      };
    },
    close: () => handle.close(),
  };
}

function openStdin(signal: AbortSignal): InputFile {
  let read = 0;
  const stop = (): void => {
    process.stdin.destroy();
  };
  signal.addEventListener('abort', stop, { once: true });
  return {
    name: 'stdin',
    size: 0,
    identity: '',
    read: () => read,
    async *chunks() {
      try {
        for await (const chunk of process.stdin) {
          const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
          read += bytes.length;
          yield bytes;
        }
      } catch (error) {
        if (!signal.aborted) throw unreadable('stdin', error);
      }
    },
    bytes: () => undefined,
    close: async () => {
      signal.removeEventListener('abort', stop);
      stop();
    },
  };
}
