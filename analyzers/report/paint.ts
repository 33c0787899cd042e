/** Marks text for a terminal. Without colour each returns its text unchanged, so that no escape sequence gets out. */
export interface Paint {
  strong(text: string): string;
  faint(text: string): string;
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
}

function sgr(on: number, off: number): (text: string) => string {
  return (text) => (text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`);
}

const COLOUR: Paint = {
  strong: sgr(1, 22),
  faint: sgr(2, 22),
  good: sgr(32, 39),
  warn: sgr(33, 39),
  bad: sgr(31, 39),
};

function same(text: string): string {
  return text;
}

const PLAIN: Paint = { strong: same, faint: same, good: same, warn: same, bad: same };

export function paintFor(colour: boolean): Paint {
  return colour ? COLOUR : PLAIN;
}
