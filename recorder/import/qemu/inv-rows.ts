import { INV_FORM, STREAM_ID } from '../../../traces/schema.ts';
import type { Nanoseconds } from '../../../traces/units.ts';
import { ABSENT } from '../../../traces/units.ts';
import type { QemuLine } from './device-model.ts';

/** The words of one command, each as two int32 halves. One object is reused. */
export class CommandWords {
  w0Lo = 0;
  w0Hi = 0;
  w1Lo = 0;
  w1Hi = 0;
  w2Lo = 0;
  w2Hi = 0;
  w3Lo = 0;
  w3Hi = 0;

  clear(): void {
    this.w0Lo = 0;
    this.w0Hi = 0;
    this.w1Lo = 0;
    this.w1Hi = 0;
    this.w2Lo = 0;
    this.w2Hi = 0;
    this.w3Lo = 0;
    this.w3Hi = 0;
  }
}

/** Writes one `inv` row. */
export function writeInv(
  line: QemuLine,
  time: Nanoseconds,
  dialect: number,
  form: number,
  words: CommandWords,
  task = line.task,
): void {
  const row = line.sink.begin(STREAM_ID.inv, time, ABSENT, task, line.source);
  const { columns } = line.sink.rows.inv;
  columns.dialect[row] = dialect;
  columns.form[row] = form;
  columns.w0Lo[row] = words.w0Lo;
  columns.w0Hi[row] = words.w0Hi;
  columns.w1Lo[row] = words.w1Lo;
  columns.w1Hi[row] = words.w1Hi;
  columns.w2Lo[row] = words.w2Lo;
  columns.w2Hi[row] = words.w2Hi;
  columns.w3Lo[row] = words.w3Lo;
  columns.w3Hi[row] = words.w3Hi;
}

const words = new CommandWords();

/** A tail write: `tail` is the new index. */
export function writeDoorbell(line: QemuLine, dialect: number, tail: number): void {
  words.clear();
  words.w0Lo = tail;
  writeInv(line, line.time, dialect, INV_FORM.doorbell, words);
}

/** An action on the whole unit; `reason` as in `RESET`. */
export function writeReset(line: QemuLine, time: Nanoseconds, dialect: number, reason: number): void {
  words.clear();
  words.w0Lo = reason;
  writeInv(line, time, dialect, INV_FORM.reset, words);
}
