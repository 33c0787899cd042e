import { describe, expect, test } from 'vitest';
import { GuestConsole } from './guest-marks.ts';
import type { GuestMark } from './guest-marks.ts';

function read(pieces: readonly string[]): { marks: GuestMark[]; lines: string[] } {
  const marks: GuestMark[] = [];
  const lines: string[] = [];
  const guest = new GuestConsole(
    (mark) => marks.push(mark),
    (line) => lines.push(line),
  );
  for (const piece of pieces) guest.push(piece);
  return { marks, lines };
}

describe("a guest's console", () => {
  const text =
    '@lab boot 6.12\r\n[    1.0] usb: new\r\n@lab recording\r\n[  2.0] e1@lab phase block-4k\r\n@lab saved 4096\r\n';
  const expected = {
    marks: [
      { name: 'boot', text: '6.12' },
      { name: 'recording', text: '' },
      { name: 'phase', text: 'block-4k' },
      { name: 'saved', text: '4096' },
    ],
    lines: ['[    1.0] usb: new'],
  };

  test('gives marks, also behind a kernel message that began the line', () => {
    expect(read([text])).toEqual(expected);
  });

  test('however its bytes are cut', () => {
    for (const size of [1, 3, 7]) {
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
        text.slice(i * size, (i + 1) * size),
      );
      expect(read(pieces)).toEqual(expected);
    }
  });

  test('a line without end takes no memory and gives no mark before it ends', () => {
    const { marks, lines } = read([
      ...Array.from({ length: 100 }, () => 'x'.repeat(1000)),
      '@lab boot',
      '\n@lab boot\n',
    ]);
    expect(marks).toEqual([
      { name: 'boot', text: '' },
      { name: 'boot', text: '' },
    ]);
    expect(lines).toEqual([]);
  });
});
