import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OutputFile } from './output-file.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iorr-output-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a file that is written', () => {
  test('is not there before it is whole, and then with all of it', () => {
    const path = join(folder, 'new.html');
    const file = new OutputFile(path);
    expect(readdirSync(folder)).toEqual([]);
    file.write('one ');
    expect(existsSync(path)).toBe(false);
    file.write(Buffer.from('two'));
    file.finish();
    expect(readFileSync(path, 'utf8')).toBe('one two');
    expect(readdirSync(folder)).toEqual(['new.html']);
  });

  test('replaces what was there, with its mode', () => {
    const path = join(folder, 'old.html');
    writeFileSync(path, 'old');
    chmodSync(path, 0o640);
    const file = new OutputFile(path);
    file.write('new');
    expect(readFileSync(path, 'utf8')).toBe('old');
    file.finish();
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  test('that is given up leaves what was there', () => {
    const path = join(folder, 'old.html');
    writeFileSync(path, 'old');
    const file = new OutputFile(path);
    file.write('new');
    file.discard();
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['old.html']);
  });

  test.each([
    ['that is there', true],
    ['that is not there yet', false],
  ])('through a link: the file %s is written, the link stays', (_, there) => {
    mkdirSync(join(folder, 'far'));
    const target = join(folder, 'far', 'page.html');
    if (there) writeFileSync(target, 'old');
    const link = join(folder, 'link.html');
    symlinkSync('far/page.html', link);
    new OutputFile(link).writeWhole('new');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe('new');
    expect(readdirSync(join(folder, 'far'))).toEqual(['page.html']);
  });

  test('is not written through what a killed run left', () => {
    const precious = join(folder, 'precious');
    writeFileSync(precious, 'mine');
    symlinkSync(precious, join(folder, 'page.html.part'));
    new OutputFile(join(folder, 'page.html')).writeWhole('new');
    expect(readFileSync(precious, 'utf8')).toBe('mine');
    expect(readFileSync(join(folder, 'page.html'), 'utf8')).toBe('new');
  });

  test('may be a pipe', async () => {
    const pipe = join(folder, 'pipe');
    spawnSync('mkfifo', [pipe]);
    const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'inherit'] });
    let read = '';
    reader.stdout.on('data', (text: Buffer) => (read += text.toString()));
    new OutputFile(pipe).writeWhole('through');
    await new Promise((resolve) => reader.on('close', resolve));
    expect(read).toBe('through');
    expect(lstatSync(pipe).isFIFO()).toBe(true);
  });
});

describe('a path that cannot be written is refused before any work', () => {
  test.each([
    ['in a folder that is not there', 'no/such/page.html', /the folder is not there/],
    ['a folder', '.', /it is a directory/],
  ])('%s', (_, path, message) => {
    expect(() => new OutputFile(join(folder, path))).toThrow(
      expect.objectContaining({ code: 'FILE_UNWRITABLE', message: expect.stringMatching(message) }),
    );
  });

  test.each(['', '-'])('no name: %j', (name) => {
    expect(() => new OutputFile(name)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
