import { ByteBuffer, ByteReader } from './byte-buffer.ts';
import type { IntCodec } from './codecs/codec.ts';
import { INT_CODECS } from './codecs/codecs.ts';
import { constant } from './codecs/constant.ts';
import { deltaPlanes } from './codecs/delta-planes.ts';
import { deltaVarint } from './codecs/delta-varint.ts';
import { dictionary } from './codecs/dictionary.ts';
import { runs } from './codecs/runs.ts';
import { COMPRESSION, compress, decompress } from './compression.ts';
import type { ColumnMachine } from './decoder/column-machine.ts';
import type { Compression, Effort } from './compression.ts';
import { addPrediction, magnitudeOf, readPrediction, residuals, writePrediction } from './prediction.ts';
import type { ColumnAccess, Prediction } from './prediction.ts';
import { predictedAt } from './predicted-rows.ts';
import type { RowsAt } from './predicted-rows.ts';

/**
 * Segments after which a column's codec is chosen anew by trying all of them: 1, 2, 4 ... and then this many. A trace begins unlike
 * itself (a machine boots, caches of addresses are filled), so early choices are soon looked at again.
 */
const TRIAL_PERIOD = 16;
/** A column of more bytes than this, and of so many times the bytes a row that it was chosen for, is chosen anew at once. */
const NOTICED = 256;
const GROWN = 1.2;
const SAMPLE_RUN = 3072;
/** Rows of each half of a sample that all codecs are tried on, and how near the best of them a codec must be to be tried on all. */
const PREVIEW_RUN = 768;
const PREVIEW_NEAR = 1.3;
/** Of all predictions offered, so many are tried with codecs: those whose differences are smallest. */
const PREDICTIONS_TRIED = 2;
/** A sample of so few bytes is not worth a prediction. */
const HOPELESSLY_SMALL = 64;
/** Compressing fewer bytes than this never pays for its own overhead. */
const SMALLEST_COMPRESSED = 24;
/** What compression makes hardly smaller is left as it is: to read that takes a tenth of the time. Costs real captures nothing. */
const WORTH_COMPRESSING = 0.84;
/** A prediction costs time when reading; it must save this share of the bytes, and so many bytes a row. */
const PREDICTION_GAIN = 0.92;
const PREDICTION_GAIN_PER_ROW = 1 / 48;
/** In the place of a codec's id: a prediction, then the column of differences. */
const PREDICTED = 254;
const BYTE_STRING = 255;

/** Differences have no lag left to find. */
const CODECS_OF_DIFFERENCES = [constant, deltaVarint, deltaPlanes, dictionary, runs].map((codec) =>
  codec.variants > 2 ? { ...codec, variants: 2 } : codec,
);

interface Choice {
  codec: number;
  variant: number;
  prediction: Prediction | undefined;
  /** Segments that it was used for, and after how many it is looked at again. */
  age: number;
  period: number;
  /** Of the segment that it was chosen for. */
  bytesPerRow: number;
}

interface Variant {
  readonly codec: IntCodec;
  readonly variant: number;
}

/** A column as one codec has written it. */
interface Packed {
  readonly codec: number;
  readonly variant: number;
  readonly bytes: Uint8Array;
}

/** What was tried, before it is known how long it is kept. */
type Trial = Pick<Choice, 'codec' | 'variant' | 'prediction'>;

/** How a column may be predicted: which predictions to try, and what they may look at. */
export interface PredictionOffer {
  readonly stream: number;
  readonly access: ColumnAccess;
  /** Called only when a choice is due. */
  candidates(): readonly Prediction[];
}

/**
 * Encodes integer columns, each by the prediction and the codec that give the fewest bytes. All are tried on the first block
 * of a column, on the second, the fourth and so on, and then on every 16th; between, the last winner is used.
 *
 * Layout: codec, variant, compression, then the uncompressed length as a varint, then the bytes; or 254, a prediction
 * (prediction.ts), and the column of differences in this same layout.
 */
export class ColumnEncoder {
  readonly #compression: Compression;
  readonly #choices = new Map<string, Choice>();
  readonly #scratch = new ByteBuffer();

  constructor(compression: Compression) {
    this.#compression = compression;
  }

  /** `key` names the column over all segments, for the memory of its codec. */
  encode(key: string, values: Int32Array, offer?: PredictionOffer): Uint8Array {
    const flat = this.#attempt(0, 0, values);
    if (flat !== undefined) return flat;
    // Nothing to gain without compression: the quickest codec to write.
    if (this.#compression === 'none') return this.#attempt(deltaPlanes.id, 0, values) ?? new Uint8Array(0);
    const choice = this.#choices.get(key);
    const kept = choice === undefined ? undefined : this.#again(choice, values, offer);
    if (choice !== undefined && kept !== undefined) {
      // where so little is left, nothing is to be gained
      if (choice.age < choice.period || kept.length <= NOTICED) {
        choice.age++;
        // rows that cost far more than those that it was chosen for are other rows
        if (kept.length > NOTICED && kept.length > choice.bytesPerRow * values.length * GROWN) choice.period = 1;
        return kept;
      }
    }
    const trial = this.#choose(values, offer);
    const period = Math.min(TRIAL_PERIOD, (choice?.period ?? 0) * 2 || 1);
    const again = choice !== undefined && isSame(choice, trial);
    const encoded = again ? kept : this.#again(trial, values, offer);
    // what repeats only over many rows shows in no sample: a choice is left only for what is smaller on the whole
    if (choice !== undefined && kept !== undefined && (encoded === undefined || kept.length <= encoded.length)) {
      this.#choices.set(key, { ...choice, age: 0, period, bytesPerRow: kept.length / values.length });
      return kept;
    }
    if (encoded !== undefined) {
      this.#choices.set(key, { ...trial, age: 0, period, bytesPerRow: encoded.length / values.length });
      return encoded;
    }
    // The sample fitted a codec that the whole does not.
    const whole = this.#smallest(values, INT_CODECS, 'write');
    const bytesPerRow = whole.bytes.length / values.length;
    this.#choices.set(key, { ...whole, prediction: undefined, age: 0, period, bytesPerRow });
    return whole.bytes;
  }

  /** Tries everything on a sample of the rows; of the predictions, those that leave the smallest differences. */
  #choose(values: Int32Array, offer: PredictionOffer | undefined): Trial {
    const sample = sampleOf(values);
    const plain = this.#smallest(sample, INT_CODECS, 'compare');
    const { length } = plain.bytes;
    let best = Math.min(length * PREDICTION_GAIN, length - sample.length * PREDICTION_GAIN_PER_ROW);
    let kept: Trial = { ...plain, prediction: undefined };
    if (offer === undefined || (length < HOPELESSLY_SMALL && sample === values)) return kept;
    const promising = offer
      .candidates()
      .map((prediction) => {
        const differences = sampleOf(residuals(prediction, values, offer.stream, offer.access));
        return { prediction, differences, size: magnitude(differences) };
      })
      .sort((one, other) => one.size - other.size)
      .slice(0, PREDICTIONS_TRIED);
    for (const { prediction, differences } of promising) {
      const inner = this.#smallest(differences, CODECS_OF_DIFFERENCES, 'compare');
      if (inner.bytes.length >= best) continue;
      best = inner.bytes.length;
      kept = { ...inner, prediction };
    }
    return kept;
  }

  /** A byte string as it is, compressed if that is smaller. Same layout, codec 255. */
  encodeBytes(bytes: Uint8Array, effort: Effort = 'write'): Uint8Array {
    return this.#pack(BYTE_STRING, 0, bytes, effort);
  }

  #again(choice: Trial, values: Int32Array, offer: PredictionOffer | undefined): Uint8Array | undefined {
    const { prediction } = choice;
    if (prediction === undefined) return this.#attempt(choice.codec, choice.variant, values);
    if (offer === undefined) return undefined;
    let differences: Int32Array;
    try {
      differences = residuals(prediction, values, offer.stream, offer.access);
    } catch (error) {
      // A kind that the remembered prediction does not list: choose anew.
      if (error instanceof RangeError) return undefined;
      throw error;
    }
    const inner =
      this.#attempt(0, 0, differences) ??
      this.#attempt(choice.codec, choice.variant, differences) ??
      // a sample without a difference says nothing of the few that there are
      this.#attempt(runs.id, 0, differences);
    return inner === undefined ? undefined : wrap(prediction, inner);
  }

  /** Of the codecs' variants, the one that makes a column smallest. */
  #smallest(values: Int32Array, codecs: readonly IntCodec[], effort: Effort): Packed {
    const all = codecs.flatMap((codec) => Array.from({ length: codec.variants }, (_, variant) => ({ codec, variant })));
    const promising = effort === 'compare' ? this.#promising(values, all, effort) : all;
    // those that hold a few rows well may not hold them all
    const best = this.#best(values, promising, effort) ?? this.#best(values, all, effort);
    if (best === undefined) throw new RangeError('no codec holds this column');
    return best;
  }

  /** Those that make a few of the rows about as small as any does, and those that can't say. */
  #promising(values: Int32Array, all: readonly Variant[], effort: Effort): readonly Variant[] {
    if (values.length <= 4 * PREVIEW_RUN) return all;
    const preview = previewOf(values);
    const weights = all.map((one) => this.#weigh(one, preview, effort).weight);
    const limit = Math.min(...weights.filter((_, i) => all[i]?.codec !== constant)) * PREVIEW_NEAR;
    return all.filter((_, i) => weights[i]! <= limit || weights[i] === Number.POSITIVE_INFINITY);
  }

  #best(values: Int32Array, variants: readonly Variant[], effort: Effort): Packed | undefined {
    let best: Packed | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const one of variants) {
      const { weight, bytes } = this.#weigh(one, values, effort);
      if (bytes === undefined || weight >= least) continue;
      least = weight;
      best = { codec: one.codec.id, variant: one.variant, bytes };
    }
    return best;
  }

  /** Infinite where the codec can't hold the column. */
  #weigh(
    { codec, variant }: Variant,
    values: Int32Array,
    effort: Effort,
  ): { readonly weight: number; readonly bytes: Uint8Array | undefined } {
    const bytes = this.#attempt(codec.id, variant, values, effort);
    if (bytes === undefined) return { weight: Number.POSITIVE_INFINITY, bytes };
    const plain = bytes[2] === COMPRESSION.none;
    return { weight: bytes.length * codec.weight * (plain ? WORTH_COMPRESSING : 1), bytes };
  }

  #attempt(codec: number, variant: number, values: Int32Array, effort: Effort = 'write'): Uint8Array | undefined {
    const scratch = this.#scratch;
    scratch.clear();
    if (INT_CODECS[codec]?.encode(values, variant, scratch) !== true) return undefined;
    return this.#pack(codec, variant, scratch.bytes.subarray(0, scratch.length), effort);
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

function isSame(one: Trial, other: Trial): boolean {
  return (
    one.codec === other.codec &&
    one.variant === other.variant &&
    JSON.stringify(one.prediction) === JSON.stringify(other.prediction)
  );
}

function magnitude(differences: Int32Array): number {
  let bits = 0;
  for (let i = 0; i < differences.length; i++) bits += magnitudeOf(differences[i]!);
  return bits;
}

/** Rows of a column that a choice is tried on: two runs, from the first and the last third. */
function sampleOf(values: Int32Array): Int32Array {
  if (values.length <= 2 * SAMPLE_RUN) return values;
  const sample = new Int32Array(2 * SAMPLE_RUN);
  const third = Math.max(SAMPLE_RUN, Math.floor(values.length / 3));
  sample.set(values.subarray(third - SAMPLE_RUN, third));
  const late = Math.min(2 * third, values.length - SAMPLE_RUN);
  sample.set(values.subarray(late, late + SAMPLE_RUN), SAMPLE_RUN);
  return sample;
}

/** The middle of each half of a sample. */
function previewOf(sample: Int32Array): Int32Array {
  const half = sample.length >> 1;
  const at = (half - PREVIEW_RUN) >> 1;
  const preview = new Int32Array(2 * PREVIEW_RUN);
  preview.set(sample.subarray(at, at + PREVIEW_RUN));
  preview.set(sample.subarray(half + at, half + at + PREVIEW_RUN), PREVIEW_RUN);
  return preview;
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

/** `raw` is in the memory of the machine where that inflated it. */
function unpack(
  bytes: Uint8Array,
  limit: number,
  machine: ColumnMachine | undefined,
): { codec: number; variant: number; raw: Uint8Array } {
  const reader = new ByteReader(bytes);
  const codec = reader.byte();
  const variant = reader.byte();
  const how = reader.byte();
  const length = reader.varint();
  if (length > limit) throw new RangeError(`column of ${length} bytes exceeds the limit of ${limit}`);
  const rest = reader.rest();
  const inflated = how === COMPRESSION.deflate ? machine?.inflate(rest, length) : undefined;
  // zlib says what is wrong
  return { codec, variant, raw: inflated ?? decompress(rest, how, length) };
}

/** The column that an encoded one is predicted from by a reference, if it is; `stream` and `property` say which it is itself. */
export function predictedFrom(
  bytes: Uint8Array,
  stream: number,
  property: number,
): { readonly stream: number; readonly property: number } | undefined {
  if (bytes[0] !== PREDICTED) return undefined;
  const reader = new ByteReader(bytes);
  reader.at = 1;
  const prediction = readPrediction(reader, stream, property);
  if (prediction.type === 'follow') return { stream: prediction.stream, property: prediction.other };
  return { stream: prediction.type === 'last' ? prediction.stream : stream, property: prediction.property };
}

/** Where a column stands, for those that are predicted from others. */
export interface ColumnPlace {
  readonly stream: number;
  readonly property: number;
  readonly access: ColumnAccess;
}

/** The value of a column whose rows are all alike; undefined for any other, and for a damaged one. */
export function constantOf(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== constant.id || bytes[2] !== COMPRESSION.none || bytes.length > 16) return undefined;
  const one = new Int32Array(1);
  try {
    decodeColumn(bytes, one);
  } catch {
    return undefined;
  }
  return one[0];
}

/**
 * Fills `out` from an encoded column, by a machine where there is one for it. Throws `RangeError` or a zlib error where the bytes
 * are damaged.
 */
export function decodeColumn(bytes: Uint8Array, out: Int32Array, machine?: ColumnMachine, place?: ColumnPlace): void {
  // what a machine can't decode is decoded again, to find out why
  if (machine?.suits(out.length) !== true || !decodeBy(machine, bytes, out, place)) {
    decodeHere(bytes, out, machine, place);
  }
}

function decodeBy(machine: ColumnMachine, bytes: Uint8Array, out: Int32Array, place: ColumnPlace | undefined): boolean {
  const at = machine.placeFor(out, 'out');
  let inner = bytes;
  let predicted: RowsAt | undefined;
  if (bytes[0] === PREDICTED && place !== undefined) {
    const reader = new ByteReader(bytes);
    reader.at = 1;
    const prediction = readPrediction(reader, place.stream, place.property);
    // what it refers to may have to be decoded by the same machine: before
    predicted = predictedAt(machine, prediction, out.length, place);
    if (predicted === undefined) return false;
    inner = reader.rest();
  }
  const { codec, variant, raw } = unpack(inner, rawLimit(out.length), machine);
  if (!codecOf(codec, variant).decodeAt(machine, machine.reader(raw), variant, out.length, at)) return false;
  if (predicted !== undefined && !predicted(at)) return false;
  machine.deliver(at, out);
  return true;
}

function decodeHere(
  bytes: Uint8Array,
  out: Int32Array,
  machine: ColumnMachine | undefined,
  place: ColumnPlace | undefined,
): void {
  if (bytes[0] === PREDICTED && place !== undefined) {
    const reader = new ByteReader(bytes);
    reader.at = 1;
    const prediction = readPrediction(reader, place.stream, place.property);
    decodeHere(reader.rest(), out, machine, undefined);
    addPrediction(prediction, out, place.stream, place.access);
    return;
  }
  const { codec, variant, raw } = unpack(bytes, rawLimit(out.length), machine);
  codecOf(codec, variant).decode(new ByteReader(raw), variant, out);
}

/** Bytes that a column may take before compression (`docs/format.md`). */
const rawLimit = (rows: number): number => 1024 + rows * 16;

function codecOf(codec: number, variant: number): IntCodec {
  const decoder = INT_CODECS[codec];
  if (decoder === undefined || variant >= decoder.variants) throw new RangeError(`unknown codec ${codec}.${variant}`);
  return decoder;
}

/** The bytes that `encodeBytes` was given; at most `limit`. They may lie in the memory of the machine, until it decodes again. */
export function decodeByteString(bytes: Uint8Array, limit: number, machine?: ColumnMachine): Uint8Array {
  const { codec, raw } = unpack(bytes, limit, machine);
  if (codec !== BYTE_STRING) throw new RangeError(`byte string expected, found codec ${codec}`);
  return raw;
}
