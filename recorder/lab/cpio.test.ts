import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cpioArchive } from './cpio.ts';
import type { CpioEntry } from './cpio.ts';

interface ReadEntry {
  readonly path: string;
  readonly mode: number;
  readonly content: Buffer;
}

/** Reads an archive by the format's text alone: 110 bytes of header, name, padding, content, padding. */
function readArchive(bytes: Buffer): readonly ReadEntry[] {
  const entries: ReadEntry[] = [];
  for (let at = 0; at < bytes.length; ) {
    expect(bytes.toString('latin1', at, at + 6)).toBe('070701');
    const field = (index: number): number =>
      Number.parseInt(bytes.toString('latin1', at + 6 + 8 * index, at + 14 + 8 * index), 16);
    const nameEnd = at + 110 + field(11);
    const path = bytes.toString('utf8', at + 110, nameEnd - 1);
    const from = Math.ceil(nameEnd / 4) * 4;
    const end = from + field(6);
    entries.push({ path, mode: field(1), content: bytes.subarray(from, end) });
    at = Math.ceil(end / 4) * 4;
  }
  return entries;
}

const archive = (entries: readonly CpioEntry[]): Buffer => Buffer.concat([...cpioArchive(entries)]);

describe('an initramfs', () => {
  test('folders, links and files have their modes', () => {
    const read = readArchive(
      archive([
        { kind: 'folder', path: 'usr' },
        { kind: 'link', path: 'bin', target: 'usr/bin' },
        { kind: 'file', path: 'init', executable: true, content: Buffer.from('#!/bin/sh\n') },
        { kind: 'file', path: 'usr/note', executable: false, content: new Uint8Array(0) },
      ]),
    );
    expect(read.map(({ path, mode, content }) => [path, mode.toString(8), content.toString()])).toEqual([
      ['usr', '40755', ''],
      ['bin', '120777', 'usr/bin'],
      ['init', '100755', '#!/bin/sh\n'],
      ['usr/note', '100644', ''],
      ['TRAILER!!!', '0', ''],
    ]);
  });

  test('any names and contents come back', () => {
    const file = fc.record({
      kind: fc.constant('file' as const),
      path: fc.stringMatching(/^[a-z0-9äß./_-]{1,40}$/),
      executable: fc.boolean(),
      content: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(fc.array(file, { maxLength: 8 }), (files) => {
        const read = readArchive(archive(files)).slice(0, -1);
        expect(read.map(({ path, content }) => [path, [...content]])).toEqual(
          files.map(({ path, content }) => [path, [...content]]),
        );
      }),
    );
  });
});
