import { ByteCursor, ascii } from './byte-cursor.ts';
import { CountedNames } from './counted-names.ts';
import type { ImportFacts, ImportHeader, ImportRun, ImportTarget, Importer } from './importer.ts';
import { LineSplitter } from './lines.ts';
import type { LineReader } from './lines.ts';
import { LINE, beginsWith } from './qemu/device-model.ts';
import type { DeviceModelRun, QemuLine } from './qemu/device-model.ts';
import { DEVICE_MODELS } from './qemu/device-models.ts';
import { LinePrefix } from './qemu/line-prefix.ts';

const PREFIXES = DEVICE_MODELS.flatMap(({ prefixes }, model) =>
  prefixes.map((text) => ({ bytes: ascii(text), model })),
);

/**
 * QEMU's own log of an emulated IOMMU (`-trace 'vtd_*' -D FILE`; or `smmu*`, `virtio_iommu_*`, `amdvi_*`), QEMU 7.2 to 11, or of
 * its use of the host's through VFIO.
 * Lines stand in the order in which things happened; without time stamps an event's time is the number of its line.
 */
export const qemuLog: Importer = {
  name: 'qemu-log',
  description: "QEMU's trace log: an emulated IOMMU (vtd, smmuv3, amdvi, virtio_iommu), or its use of VFIO",
  side: 'host',
  detect,
  describe,
  create: (target) => new QemuLogRun(target),
};

function modelOf(bytes: Uint8Array, start: number, end: number): number {
  for (let k = 0; k < PREFIXES.length; k++) {
    if (beginsWith(bytes, start, end, PREFIXES[k]!.bytes)) return PREFIXES[k]!.model;
  }
  return -1;
}

function detect(head: Uint8Array): number {
  const scout = new Scout();
  new LineSplitter(scout).push(head);
  if (scout.lines === 0) return 0;
  return (scout.stamped + scout.bareKnown + scout.bareOther * 0.3) / scout.lines;
}

function describe(head: Uint8Array): ImportHeader {
  const scout = new Scout();
  new LineSplitter(scout).push(head);
  const models = [...scout.models].toSorted((a, b) => a - b).map((model) => DEVICE_MODELS[model]!);
  const iommu = models.find((model) => model.iommu !== undefined)?.iommu;
  // A log of VFIO is about the host's IOMMU, one of a migration about none.
  const hardware = models.some(({ fidelity }) => fidelity.ioctl !== undefined);
  const emulated = models.length === 0 || iommu !== undefined ? true : hardware ? false : undefined;
  const seconds = BigInt(scout.seconds);
  return {
    source: { format: 'qemu-log', producer: 'QEMU' },
    host: { ...(iommu === undefined ? {} : { iommu }), ...(emulated === undefined ? {} : { emulated }) },
    clock: {
      epochNs: scout.stamped > 0 ? `${seconds * 1_000_000_000n + BigInt(scout.nanoseconds)}` : '0',
      name: scout.stamped > 0 ? 'realtime' : 'unknown',
      resolutionNs: scout.stamped > 0 ? 1000 : 0,
    },
    fidelity: Object.assign({}, ...models.map((model) => model.fidelity)) as ImportHeader['fidelity'],
  };
}

/** Reads the beginning of an input for what kind it is. */
class Scout implements LineReader {
  lines = 0;
  stamped = 0;
  bareKnown = 0;
  bareOther = 0;
  seconds = 0;
  nanoseconds = 0;
  readonly models = new Set<number>();
  readonly #prefix = new LinePrefix();

  line(bytes: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    this.lines++;
    const prefix = this.#prefix;
    const kind = prefix.parse(bytes, start, end);
    if (kind === 'invalid') return;
    const model = modelOf(bytes, prefix.nameStart, prefix.nameEnd);
    if (model >= 0) this.models.add(model);
    if (kind === 'none') {
      if (model < 0) this.bareOther++;
      else this.bareKnown++;
    } else if (this.stamped++ === 0) {
      this.seconds = prefix.seconds;
      this.nanoseconds = prefix.nanoseconds;
    }
  }

  tooLong(): void {
    this.lines++;
  }

  unterminated(): void {}
}

class QemuLogRun implements ImportRun, LineReader {
  readonly #target: ImportTarget;
  readonly #splitter: LineSplitter;
  readonly #prefix = new LinePrefix();
  readonly #models: readonly DeviceModelRun[];
  readonly #line: QemuLine;
  readonly #unknown = new CountedNames('unknown');
  readonly #ignored = new CountedNames('ignored');
  readonly #epochSeconds: number;
  readonly #epochNanoseconds: number;
  readonly #stamped: boolean;
  #events = 0;
  #folded = 0;
  #blank = 0;
  #skipped = 0;
  #malformed = 0;
  #reordered = 0;
  #interrupts = 0;

  constructor(target: ImportTarget) {
    this.#target = target;
    this.#splitter = new LineSplitter(this);
    this.#models = DEVICE_MODELS.map((model) => model.create());
    this.#line = { cursor: new ByteCursor(), sink: target.sink, source: target.source ?? 0, time: 0, task: -1 };
    const epoch = BigInt(target.header.clock.epochNs);
    this.#epochSeconds = Number(epoch / 1_000_000_000n);
    this.#epochNanoseconds = Number(epoch % 1_000_000_000n);
    this.#stamped = target.header.clock.resolutionNs > 0;
  }

  push(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
  }

  line(bytes: Uint8Array, start: number, end: number, number: number): void {
    if (start === end) {
      this.#blank++;
      return;
    }
    const prefix = this.#prefix;
    const kind = prefix.parse(bytes, start, end);
    if (kind === 'invalid') {
      this.#bad('line', number);
      return;
    }
    const line = this.#line;
    if (!this.#stamped) line.time = number;
    else if (kind !== 'none') {
      const time = (prefix.seconds - this.#epochSeconds) * 1e9 + (prefix.nanoseconds - this.#epochNanoseconds);
      if (time > Number.MAX_SAFE_INTEGER) {
        this.#bad('time stamp', number);
        return;
      }
      // Threads take their time stamps before they write; the order of the lines is the order of the events.
      if (time < line.time) this.#reordered++;
      else line.time = time;
    }
    const model = modelOf(bytes, prefix.nameStart, prefix.nameEnd);
    if (model < 0) {
      this.#unknown.add(bytes, prefix.nameStart, prefix.nameEnd, number);
      return;
    }
    line.task = prefix.task;
    line.cursor.set(bytes, prefix.argsStart, end);
    switch (this.#models[model]!.parse(line, bytes, prefix.nameStart, prefix.nameEnd)) {
      case LINE.event:
        this.#events++;
        return;
      case LINE.folded:
        this.#folded++;
        return;
      case LINE.interrupt:
        this.#interrupts++;
        this.#ignored.add(bytes, prefix.nameStart, prefix.nameEnd, number);
        return;
      case LINE.ignored:
        this.#ignored.add(bytes, prefix.nameStart, prefix.nameEnd, number);
        return;
      case LINE.unknown:
        this.#unknown.add(bytes, prefix.nameStart, prefix.nameEnd, number);
        return;
      default:
        this.#bad(new TextDecoder().decode(bytes.subarray(prefix.nameStart, prefix.nameEnd).slice(0, 64)), number);
    }
  }

  tooLong(number: number): void {
    this.#skipped++;
    this.#target.health.add('truncated', 'line of more than 1 MiB (skipped)', this.#place(number));
  }

  unterminated(_bytes: Uint8Array, _start: number, _end: number, number: number): void {
    // QEMU ends each line; half a number would be read as a smaller one.
    this.#skipped++;
    this.#target.health.add('truncated', 'last line is cut (skipped)', this.#place(number));
  }

  end(): ImportFacts {
    this.#splitter.end();
    const { health, file } = this.#target;
    const waiting = this.#models.flatMap((model) => [...model.end(this.#line)]);
    this.#unknown.report(health, file);
    this.#ignored.report(health, file);
    for (const [what, count] of waiting) {
      health.add('unknown', what, undefined, count);
      this.#folded -= count;
    }
    return {
      lines: this.#splitter.count,
      events: this.#events,
      folded: this.#folded,
      blank: this.#blank,
      skipped: this.#skipped,
      notes: {
        ...(this.#stamped
          ? {}
          : { times: 'the log has no time stamps: times are line numbers, durations mean nothing' }),
        ...(this.#reordered > 0 ? { timesBehindThePreviousLine: this.#reordered } : {}),
        ...(this.#interrupts > 0 ? { interruptRemappingLines: this.#interrupts } : {}),
      },
    };
  }

  #bad(what: string, number: number): void {
    this.#malformed++;
    this.#target.health.add('malformed', what, this.#malformed <= 100 ? this.#place(number) : undefined);
  }

  #place(number: number): string {
    return `${this.#target.file}:${number}`;
  }
}
