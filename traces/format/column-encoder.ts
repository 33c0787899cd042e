import { ByteBuffer } from './byte-buffer.ts';
import { INT_CODECS } from './codecs/codecs.ts';
import { constant } from './codecs/constant.ts';
import { deltaPlanes } from './codecs/delta-planes.ts';
import { deltaVarint } from './codecs/delta-varint.ts';
import { runs } from './codecs/runs.ts';
import { chooseColumn, isSameChoice, knownResiduals } from './codec-choice.ts';
import type { ColumnChoice, PredictionOffer } from './codec-choice.ts';
import { BYTE_STRING, PREDICTED } from './column.ts';
import { COMPRESSION, WORTH_COMPRESSING, compress } from './compression.ts';
import type { Compression, Effort } from './compression.ts';
import { writePrediction } from './prediction.ts';
import type { Prediction } from './prediction.ts';

/** A column that takes more bytes than this in a segment is chosen anew for the next one; others keep their first choice. */
const LARGE = 2048;
/** A choice that was made so often again rests: for one segment, then two, four; and until the bytes a row change by this share. */
const CONFIRMED = 3;
const LONGEST_REST = 15;
const CHANGED = 0.05;
/** Compressing fewer bytes than this never pays for its own overhead. */
const SMALLEST_COMPRESSED = 24;

/** What is remembered of a column. */
interface Remembered {
  readonly choice: ColumnChoice;
  /** How often it was made again since. */
  readonly confirmed: number;
  /** Segments for which the choice rests yet. */
  rest: number;
  /** Of the newest segment, and of the one that it was chosen for. */
  bytes: number;
  readonly bytesPerRow: number;
}

/**
 * Encodes integer columns, each by the prediction and the codec that give the fewest bytes (`chooseColumn`). Phases
 * of a workload are as short as segments, so what is large is chosen for each; the rest is not worth it.
 */
export class ColumnEncoder {
  readonly #compression: Compression;
  readonly #remembered = new Map<string, Remembered>();
  readonly #scratch = new ByteBuffer();

  constructor(compression: Compression) {
    this.#compression = compression;
  }

  /** `key` names the column over all segments, for the memory of its codec. */
  encode(key: string, values: Int32Array, offer?: PredictionOffer): Uint8Array {
    const flat = this.#attempt(constant.id, 0, values);
    if (flat !== undefined) return flat;
    // Nothing to gain without compression: the quickest codec to write.
    if (this.#compression === 'none') return this.#plain(deltaPlanes.id, values);
    const before = this.#remembered.get(key);
    if (before !== undefined && (before.bytes <= LARGE || before.rest > 0)) {
      const kept = this.#by(before.choice, values, offer);
      const change = kept === undefined ? 0 : kept.length / values.length / before.bytesPerRow - 1;
      // rows that cost far more than those that it was chosen for are other rows
      if (kept !== undefined && (kept.length <= LARGE || change <= CHANGED)) {
        before.rest = change < -CHANGED ? 0 : before.rest - 1;
        before.bytes = kept.length;
        return kept;
      }
    }
    let choice = chooseColumn(values, offer);
    let encoded = this.#by(choice, values, offer);
    if (encoded === undefined) {
      // the sample fitted a codec that the whole does not: one that holds anything
      choice = { codec: deltaVarint.id, variant: 1, prediction: undefined };
      encoded = this.#plain(deltaVarint.id, values, 1);
    }
    const confirmed = before !== undefined && isSameChoice(before.choice, choice) ? before.confirmed + 1 : 0;
    const rest = confirmed < CONFIRMED ? 0 : Math.min(LONGEST_REST, 2 ** (confirmed - CONFIRMED));
    const bytes = encoded.length;
    this.#remembered.set(key, { choice, confirmed, rest, bytes, bytesPerRow: bytes / values.length });
    return encoded;
  }

  /** A byte string as it is, compressed if that is smaller. */
  encodeBytes(bytes: Uint8Array, effort: Effort = 'write'): Uint8Array {
    return this.#pack(BYTE_STRING, 0, bytes, effort);
  }

  #by(
    { codec, variant, prediction }: ColumnChoice,
    values: Int32Array,
    offer: PredictionOffer | undefined,
  ): Uint8Array | undefined {
    if (prediction === undefined) return this.#attempt(codec, variant, values);
    if (offer === undefined) return undefined;
    const differences = knownResiduals(prediction, values, offer);
    if (differences === undefined) return undefined;
    const inner =
      this.#attempt(constant.id, 0, differences) ??
      this.#attempt(codec, variant, differences) ??
      // a sample without a difference says nothing of the few that there are
      this.#attempt(runs.id, 0, differences);
    return inner === undefined ? undefined : wrap(prediction, inner);
  }

  /** By a codec that holds any column. */
  #plain(codec: number, values: Int32Array, variant = 0): Uint8Array {
    const encoded = this.#attempt(codec, variant, values);
    if (encoded === undefined) throw new RangeError(`codec ${codec} does not hold this column`);
    return encoded;
  }

  #attempt(codec: number, variant: number, values: Int32Array): Uint8Array | undefined {
    const scratch = this.#scratch;
    scratch.clear();
    if (INT_CODECS[codec]?.encode(values, variant, scratch) !== true) return undefined;
    return this.#pack(codec, variant, scratch.bytes.subarray(0, scratch.length));
  }

  #pack(codec: number, variant: number, raw: Uint8Array, effort: Effort = 'write'): Uint8Array {
    let how: Compression = 'none';
    let body = raw;
    if (this.#compression !== 'none' && raw.length >= SMALLEST_COMPRESSED) {
      const smaller = compress(raw, this.#compression, effort);
      if (smaller.length < raw.length * WORTH_COMPRESSING) {
        how = this.#compression;
        body = smaller;
      }
    }
    const result = new Uint8Array(8 + body.length);
    const head = new ByteBuffer(result);
    result[0] = codec;
    result[1] = variant;
    result[2] = COMPRESSION[how];
    head.length = 3;
    head.varint(raw.length);
    result.set(body, head.length);
    return result.subarray(0, head.length + body.length);
  }
}

function wrap(prediction: Prediction, inner: Uint8Array): Uint8Array {
  const out = new ByteBuffer(new Uint8Array(256));
  out.bytes[0] = PREDICTED;
  out.length = 1;
  writePrediction(prediction, out);
  const result = new Uint8Array(out.length + inner.length);
  result.set(out.bytes.subarray(0, out.length));
  result.set(inner, out.length);
  return result;
}
