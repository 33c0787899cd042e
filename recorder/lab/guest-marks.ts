/** What the guest says of itself on its console, one line each: `@lab phase block-4k`. */
export interface GuestMark {
  readonly name: string;
  readonly text: string;
}

export const MARK_PREFIX = '@lab';
/** A console that prints without end must not fill memory. */
const MAX_LINE = 4096;

/** Takes the bytes of a console, however they are cut, and gives its marks. Other lines go to `onLine`. */
export class GuestConsole {
  #rest = '';
  readonly #onMark: (mark: GuestMark) => void;
  readonly #onLine: (line: string) => void;

  constructor(onMark: (mark: GuestMark) => void, onLine: (line: string) => void) {
    this.#onMark = onMark;
    this.#onLine = onLine;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(-MAX_LINE);
    for (const line of lines) this.#take(line.replace(/\r$/, ''));
  }

  #take(line: string): void {
    // A kernel message may have begun the line.
    const at = line.indexOf(`${MARK_PREFIX} `);
    if (at === -1) {
      if (line !== '') this.#onLine(line.slice(0, MAX_LINE));
      return;
    }
    const [name = '', ...words] = line.slice(at + MARK_PREFIX.length + 1).split(' ');
    this.#onMark({ name, text: words.join(' ') });
  }
}
