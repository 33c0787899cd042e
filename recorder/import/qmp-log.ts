import { DIRTY_OP, DIRTY_SPACE, STREAM_ID } from '../../traces/schema.ts';
import { ABSENT } from '../../traces/units.ts';
import { CountedNames } from './counted-names.ts';
import type { ImportFacts, ImportHeader, ImportRun, ImportTarget, Importer } from './importer.ts';
import { LineSplitter } from './lines.ts';
import type { LineReader } from './lines.ts';
import { parseQmpLine, qmpVersion } from './qmp/qmp-line.ts';
import type { QmpLine } from './qmp/qmp-line.ts';

/** Questions whose answers a trace keeps: statistics of memory and its migration. */
const KEPT_QUESTIONS: ReadonlySet<string> = new Set(['query-migrate', 'query-dirty-rate', 'query-vcpu-dirty-limit']);
/** What management sets of migrations: kept as it was asked for. */
const KEPT_SETTINGS: ReadonlySet<string> = new Set(['migrate-set-parameters', 'migrate-set-capabilities']);
/** Events that say that the machine's CPUs run or don't. */
const MACHINE_STATES: ReadonlySet<string> = new Set(['STOP', 'RESUME']);
/** Texts that a trace gets of a log; further ones are left out and counted. */
const MAX_TEXTS = 100_000;
/** What a string table takes as it is. */
const MAX_TEXT = 16 * 1024;

/**
 * A log of QEMU's machine protocol (QMP), one message a line behind the time of the log's writer, in seconds since 1970; `>`
 * before what was sent to QEMU. What is kept: answers about migration and dirty memory, whole; what management set of migrations;
 * their states and passes.
 */
export const qmpLog: Importer = {
  name: 'qmp-log',
  description: 'log of QMP messages with time stamps: states, passes and statistics of migrations',
  side: 'host',
  beside: true,
  detect,
  describe,
  create: (target) => new QmpLogRun(target),
};

/** The head's whole lines, the first few. */
function firstLines(head: Uint8Array, most: number): readonly string[] {
  const text = new TextDecoder().decode(head);
  const whole = text.endsWith('\n') ? text : text.slice(0, Math.max(0, text.lastIndexOf('\n')));
  return whole.split('\n', most).filter((line) => line !== '');
}

function detect(head: Uint8Array): number {
  const lines = firstLines(head, 10);
  const read = lines.filter((line) => parseQmpLine(line) !== undefined).length;
  return lines.length === 0 ? 0 : read / lines.length;
}

function describe(head: Uint8Array): ImportHeader {
  const lines = firstLines(head, 100).map(parseQmpLine);
  const seconds = lines.find((line) => line !== undefined)?.seconds ?? 0;
  const version = lines.map((line) => qmpVersion(line?.message)).find((found) => found !== undefined);
  return {
    source: { format: 'qmp-log', producer: version === undefined ? 'QEMU' : `QEMU ${version}` },
    host: {},
    clock: { epochNs: `${BigInt(seconds) * 1_000_000_000n}`, name: 'realtime', resolutionNs: 1000 },
    fidelity: { dirty: 'partial' },
  };
}

interface Question {
  readonly name: string;
  readonly time: number;
}

class QmpLogRun implements ImportRun, LineReader {
  readonly #target: ImportTarget;
  readonly #splitter = new LineSplitter(this);
  readonly #decoder = new TextDecoder();
  readonly #ignored = new CountedNames('ignored');
  readonly #epochSeconds: number;
  /** Answers come in the order of the questions, but for those asked out of band. */
  readonly #asked: Question[] = [];
  #texts = 0;
  #now = 0;
  #events = 0;
  #folded = 0;
  #blank = 0;
  #skipped = 0;

  constructor(target: ImportTarget) {
    this.#target = target;
    this.#epochSeconds = Number(BigInt(target.header.clock.epochNs) / 1_000_000_000n);
  }

  push(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
  }

  line(bytes: Uint8Array, start: number, end: number, number: number): void {
    if (start === end) {
      this.#blank++;
      return;
    }
    const line = parseQmpLine(this.#decoder.decode(bytes.subarray(start, end)));
    // Times are exact below 2^53 ns: 104 days from the first message.
    const readable = line !== undefined && this.#since(line.seconds, line.nanoseconds) <= Number.MAX_SAFE_INTEGER;
    if (readable) this.#read(line, number);
    else this.#target.health.add('malformed', 'line', `${this.#target.file}:${number}`);
  }

  #since(seconds: number, nanoseconds: number): number {
    return (seconds - this.#epochSeconds) * 1e9 + nanoseconds;
  }

  #read(line: QmpLine, number: number): void {
    const { message } = line;
    const time = this.#since(line.seconds, line.nanoseconds);
    if (typeof message['execute'] === 'string') this.#ask(message['execute'], message['arguments'], time, number);
    else if (typeof message['event'] === 'string') this.#readEvent(message['event'], line, number);
    else if ('return' in message || 'error' in message) this.#readAnswer(message['return'], time, number);
    else this.#skip('QMP' in message ? 'greeting' : 'message', number);
  }

  #ask(name: string, given: unknown, time: number, number: number): void {
    if (this.#asked.length < 64) this.#asked.push({ name, time });
    // Its time goes into the row of the answer.
    if (KEPT_QUESTIONS.has(name)) this.#folded++;
    else if (KEPT_SETTINGS.has(name) && given !== undefined) {
      const row = this.#begin(DIRTY_OP.report, time);
      this.#target.sink.rows.dirty.columns.name[row] = this.#text(compact({ [name]: given }));
    } else this.#skip(name, number);
  }

  #readAnswer(answer: unknown, time: number, number: number): void {
    const question = this.#asked.shift();
    if (question === undefined || !KEPT_QUESTIONS.has(question.name) || answer === undefined) {
      this.#skip(question === undefined ? 'answer' : `answer to ${question.name}`, number);
      return;
    }
    const row = this.#begin(DIRTY_OP.report, time);
    const duration = Math.max(0, time - question.time);
    const { columns } = this.#target.sink.rows.dirty;
    columns.name[row] = this.#text(compact({ [question.name]: answer }));
    columns.durationLo[row] = duration | 0;
    columns.durationHi[row] = Math.floor(duration / 4294967296);
    this.#setCount(row, numberOf(field(answer, 'ram'), 'dirty-sync-count'));
  }

  /** An event has its own time stamp, and reaches the log when the log's writer reads the next answer. */
  #readEvent(name: string, { message, seconds, nanoseconds }: QmpLine, number: number): void {
    const stamp = message['timestamp'];
    const own = numberOf(stamp, 'seconds');
    const told = this.#since(own, numberOf(stamp, 'microseconds') * 1000);
    const time = own > 0 && told <= Number.MAX_SAFE_INTEGER ? told : this.#since(seconds, nanoseconds);
    const data = message['data'];
    if (name === 'MIGRATION_PASS') {
      this.#setCount(this.#begin(DIRTY_OP.pass, time), numberOf(data, 'pass'));
      return;
    }
    const status = name === 'MIGRATION' ? field(data, 'status') : MACHINE_STATES.has(name) ? name : undefined;
    if (typeof status !== 'string') {
      this.#skip(`event ${name}`, number);
      return;
    }
    const row = this.#begin(DIRTY_OP.state, time);
    this.#target.sink.rows.dirty.columns.name[row] = this.#text(status);
  }

  #begin(op: number, time: number): number {
    const { sink, source } = this.#target;
    // Events of a log stand in order of time, but for those that came while an answer was on its way.
    this.#now = Math.max(this.#now, time);
    this.#events++;
    const row = sink.begin(STREAM_ID.dirty, this.#now, ABSENT, ABSENT, source ?? 0);
    const { columns } = sink.rows.dirty;
    columns.op[row] = op;
    columns.space[row] = DIRTY_SPACE.ram;
    return row;
  }

  #setCount(row: number, count: number): void {
    const { columns } = this.#target.sink.rows.dirty;
    columns.countLo[row] = count | 0;
    columns.countHi[row] = Math.floor(count / 4294967296);
  }

  /** String-table index of a text; absent for one that is too long, and after too many, which is counted. */
  #text(text: string | undefined): number {
    const kept = text !== undefined && text.length <= MAX_TEXT && this.#texts++ < MAX_TEXTS;
    if (kept) return this.#target.sink.intern(text);
    this.#target.health.add('truncated', 'text of a message');
    return ABSENT;
  }

  #skip(what: string, number: number): void {
    const bytes = new TextEncoder().encode(what.slice(0, 64));
    this.#ignored.add(bytes, 0, bytes.length, number);
  }

  tooLong(number: number): void {
    this.#skipped++;
    this.#target.health.add('truncated', 'line of more than 1 MiB (skipped)', `${this.#target.file}:${number}`);
  }

  unterminated(_bytes: Uint8Array, _start: number, _end: number, number: number): void {
    this.#skipped++;
    this.#target.health.add('truncated', 'last line is cut (skipped)', `${this.#target.file}:${number}`);
  }

  end(): ImportFacts {
    this.#splitter.end();
    const { health, file } = this.#target;
    const open = this.#asked.filter(({ name }) => KEPT_QUESTIONS.has(name)).length;
    if (open > 0) health.add('unknown', 'question without an answer', undefined, open);
    this.#folded -= open;
    this.#ignored.report(health, file);
    return {
      lines: this.#splitter.count,
      events: this.#events,
      folded: this.#folded,
      blank: this.#blank,
      skipped: this.#skipped,
      notes: {},
    };
  }
}

/** JSON of a value; undefined where it is nested too deep to be written again. */
function compact(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** A whole number that a double holds exactly; 0 for anything else. */
function numberOf(value: unknown, name: string): number {
  const found = field(value, name);
  return typeof found === 'number' && Number.isSafeInteger(found) && found >= 0 ? found : 0;
}
