/** Where native commands go, one after the other. Words are int32 halves of the 64-bit words that the hardware reads. */
export interface CommandSink {
  command(
    unit: number,
    w0Lo: number,
    w0Hi: number,
    w1Lo: number,
    w1Hi: number,
    w2Lo: number,
    w2Hi: number,
    w3Lo: number,
    w3Hi: number,
  ): void;
  /** Closes what was given for the unit: one wait command, and whoever gave them waits for it. */
  submit(unit: number): void;
}
