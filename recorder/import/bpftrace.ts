import { BpftraceLines } from '../live/bpf/bpftrace-lines.ts';
import { KERNEL_PROBES, probeLines } from '../live/bpf/kernel-probes.ts';
import type { ImportFacts, ImportHeader, ImportRun, ImportTarget, Importer } from './importer.ts';
import { LineSplitter } from './lines.ts';
import type { LineReader } from './lines.ts';

/** Lines of an input's beginning that are looked at: others may have written on the same terminal. */
const TRIED_LINES = 30;
/** `S 1471937e6231 2 domains,vtd-commands` */
const START = /^S ([0-9a-f]{8,16}) (\d{1,5}) ([a-z0-9,-]{1,200})$/;
/** What bpftrace says of itself, in text output. */
const OWN_WORDS = /^(?:Attaching \d+ probes?\.\.\.|@\w+(?:\[.*\])?: .*)$/;

/**
 * What iorr's program for bpftrace printed (`iorr record --print-program`), as text (`bpftrace -o FILE`) or as JSON
 * (`-f json`): ioctls with what their structs hold, and what probes of kernel functions saw.
 */
export const bpftrace: Importer = {
  name: 'bpftrace',
  description: "output of iorr's program for bpftrace: ioctls with their structs, as text or JSON",
  side: 'guest',
  detect: (head) => (startOf(head) === undefined ? 0 : 0.95),
  describe,
  create: (target) => new BpftraceRun(target),
};

interface Start {
  readonly nsecs: bigint;
  readonly probes: readonly string[];
}

function startOf(head: Uint8Array): Start | undefined {
  const lines = new TextDecoder('latin1').decode(head.subarray(0, 16_384)).split('\n', TRIED_LINES);
  for (const line of lines) {
    const [, nsecs = '', , probes = ''] = START.exec(textOf(line.trimEnd())) ?? [];
    if (nsecs !== '') return { nsecs: BigInt(`0x${nsecs}`), probes: probes.split(',') };
  }
  return undefined;
}

/** The text of a message of JSON output; any other line as it is. */
function textOf(line: string): string {
  if (!line.startsWith('{"type"')) return line;
  try {
    const { type, data } = JSON.parse(line) as { readonly type?: unknown; readonly data?: unknown };
    return type === 'printf' && typeof data === 'string' ? data.trimEnd() : '';
  } catch {
    return '';
  }
}

function describe(head: Uint8Array): ImportHeader {
  const start = startOf(head);
  const probes = KERNEL_PROBES.filter(({ name }) => start?.probes.includes(name));
  return {
    source: { format: 'bpftrace', producer: 'bpftrace' },
    host: {},
    // bpf_ktime_get_boot_ns where the kernel has it.
    clock: { epochNs: String(start?.nsecs ?? 0n), name: 'boot', resolutionNs: 1 },
    fidelity: Object.assign({}, ...probes.map(({ streams }) => streams), {
      ioctl: 'full',
      call: 'partial',
      lost: 'full',
    }) as ImportHeader['fidelity'],
  };
}

class BpftraceRun implements ImportRun, LineReader {
  readonly #target: ImportTarget;
  readonly #splitter: LineSplitter;
  readonly #lines: BpftraceLines;
  #blank = 0;
  #skipped = 0;

  constructor(target: ImportTarget) {
    this.#target = target;
    this.#splitter = new LineSplitter(this);
    const { sink, health, header } = target;
    const rows = { sink, health, source: target.source ?? 0, epoch: BigInt(header.clock.epochNs) };
    // Its processes are long gone, and its clock is the trace's.
    this.#lines = new BpftraceLines(
      rows,
      () => undefined,
      () => undefined,
      probeLines(rows),
    );
  }

  push(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
  }

  line(bytes: Uint8Array, start: number, end: number): void {
    const text = new TextDecoder('latin1').decode(bytes.subarray(start, end));
    if (text.trim() === '') this.#blank++;
    else if (!OWN_WORDS.test(text)) this.#lines.message(text);
  }

  tooLong(number: number): void {
    this.#skipped++;
    this.#target.health.add('truncated', 'line of more than 1 MiB (skipped)', `${this.#target.file}:${number}`);
  }

  unterminated(_bytes: Uint8Array, start: number, end: number, number: number): void {
    // Half a number looks like a whole one.
    if (start === end) return;
    this.#skipped++;
    this.#target.health.add('truncated', 'last line is cut (skipped)', `${this.#target.file}:${number}`);
  }

  end(): ImportFacts {
    this.#splitter.end();
    this.#lines.end();
    const { lines, events, folded, late } = this.#lines;
    return {
      lines: lines + this.#blank + this.#skipped,
      events,
      folded,
      blank: this.#blank,
      skipped: this.#skipped,
      notes: late === 0 ? {} : { lateLines: late },
    };
  }
}
