/** int32 words of a command: w0 to w3, low before high. */
export const COMMAND_WORDS = 8;

/** Commands one behind the other in a flat array that grows. */
export class CommandList {
  /** `COMMAND_WORDS` of each; another array once it has grown. */
  words: Int32Array = new Int32Array(COMMAND_WORDS * 64);
  /** Commands; may be set to fewer. */
  length = 0;

  add(
    w0Lo: number,
    w0Hi: number,
    w1Lo: number,
    w1Hi: number,
    w2Lo: number,
    w2Hi: number,
    w3Lo: number,
    w3Hi: number,
  ): void {
    const at = COMMAND_WORDS * this.length++;
    if (at === this.words.length) {
      const larger = new Int32Array(2 * at);
      larger.set(this.words);
      this.words = larger;
    }
    const { words } = this;
    words[at] = w0Lo;
    words[at + 1] = w0Hi;
    words[at + 2] = w1Lo;
    words[at + 3] = w1Hi;
    words[at + 4] = w2Lo;
    words[at + 5] = w2Hi;
    words[at + 6] = w3Lo;
    words[at + 7] = w3Hi;
  }
}
