import { ByteBuffer } from './byte-buffer.ts';
import type { IntCodec } from './codecs/codec.ts';
import { INT_CODECS } from './codecs/codecs.ts';
import { constant } from './codecs/constant.ts';
import { deltaPlanes } from './codecs/delta-planes.ts';
import { deltaVarint } from './codecs/delta-varint.ts';
import { dictionary } from './codecs/dictionary.ts';
import { runs } from './codecs/runs.ts';
import { WORTH_COMPRESSING } from './compression.ts';
import type { ColumnAccess, Prediction } from './prediction.ts';
import { magnitudeOf } from './prediction-offers.ts';
import { residuals } from './residuals.ts';
import { estimateDeflated } from './size-estimate.ts';

/** Rows of each run of a sample. */
const SAMPLE_RUN = 3072;
/** Rows of each half of a sample that all codecs are tried on, and how near the best of them a codec must be to be tried on all. */
const PREVIEW_RUN = 768;
const PREVIEW_NEAR = 1.3;
/** Of the predictions that leave smaller differences than the row before does, so many are tried with codecs: the smallest. */
const PREDICTIONS_TRIED = 2;
/** A sample of so few bytes is not worth a prediction. */
const HOPELESSLY_SMALL = 64;
/** A prediction costs time when reading; it must save this share of the bytes, and so many bytes a row. */
const PREDICTION_GAIN = 0.92;
const PREDICTION_GAIN_PER_ROW = 1 / 48;

interface Variant {
  readonly codec: IntCodec;
  readonly variant: number;
}

const variantsOf = (codecs: readonly IntCodec[], most: number): readonly Variant[] =>
  codecs.flatMap((codec) =>
    Array.from({ length: Math.min(most, codec.variants) }, (_, variant) => ({ codec, variant })),
  );

const MOST_LAG = 4;
const ALL = variantsOf(INT_CODECS, MOST_LAG + 1);
/** Differences have no lag left to find. */
const OF_DIFFERENCES = variantsOf([constant, deltaVarint, deltaPlanes, dictionary, runs], 2);

/** How a column is written. */
export interface ColumnChoice {
  readonly codec: number;
  readonly variant: number;
  readonly prediction: Prediction | undefined;
}

/** How a column may be predicted: which predictions to try, and what they may look at. */
export interface PredictionOffer {
  readonly stream: number;
  readonly access: ColumnAccess;
  /** Predictions of a sample of the rows, through what sees that same sample. Called only when a choice is due. */
  candidates(sample: Int32Array, access: ColumnAccess): readonly Prediction[];
}

/** The codec, and the prediction if one pays, that make a sample of the rows smallest, as estimated. */
export function chooseColumn(values: Int32Array, offer: PredictionOffer | undefined): ColumnChoice {
  const sample = sampleOf(values);
  const plain = smallest(sample, ALL);
  let best = Math.min(plain.bytes * PREDICTION_GAIN, plain.bytes - sample.length * PREDICTION_GAIN_PER_ROW);
  let choice: ColumnChoice = { codec: plain.codec.id, variant: plain.variant, prediction: undefined };
  if (offer === undefined || best < HOPELESSLY_SMALL) return choice;
  const access = sampledAccess(offer);
  const unpredicted = Math.min(magnitude(sample), lagMagnitude(sample, 1));
  const promising = offer
    .candidates(sample, access)
    .map((prediction) => {
      const differences = residuals(prediction, sample, offer.stream, access);
      return { prediction, differences, size: magnitude(differences) };
    })
    .filter(({ size }) => size < unpredicted)
    .sort((one, other) => one.size - other.size)
    .slice(0, PREDICTIONS_TRIED);
  for (const { prediction, differences } of promising) {
    const inner = smallest(differences, OF_DIFFERENCES);
    if (inner.bytes >= best) continue;
    best = inner.bytes;
    choice = { codec: inner.codec.id, variant: inner.variant, prediction };
  }
  return choice;
}

/** Undefined where a row is of a kind that the prediction does not list. */
export function knownResiduals(
  prediction: Prediction,
  values: Int32Array,
  { stream, access }: Pick<PredictionOffer, 'stream' | 'access'>,
): Int32Array | undefined {
  try {
    return residuals(prediction, values, stream, access);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

export function isSameChoice(one: ColumnChoice, other: ColumnChoice): boolean {
  return (
    one.codec === other.codec &&
    one.variant === other.variant &&
    JSON.stringify(one.prediction) === JSON.stringify(other.prediction)
  );
}

interface Weighed extends Variant {
  /** About what it takes; infinite where the codec can't hold the rows. */
  readonly bytes: number;
  /** The same, with what it costs to read. */
  readonly weight: number;
}

const lightest = (all: readonly Weighed[]): Weighed =>
  all.reduce((best, one) => (one.weight < best.weight ? one : best));

/** Of the codecs' variants, the one that makes some rows smallest. */
function smallest(rows: Int32Array, variants: readonly Variant[]): Weighed {
  const best = lightest(promisingOf(rows, variants).map((one) => weigh(one, rows)));
  // those that hold a few rows well may not hold them all
  return best.weight < Number.POSITIVE_INFINITY ? best : lightest(variants.map((one) => weigh(one, rows)));
}

/** Those that make a few of the rows about as small as any does, and those that can't say. */
function promisingOf(rows: Int32Array, variants: readonly Variant[]): readonly Variant[] {
  if (rows.length <= 4 * PREVIEW_RUN) return variants;
  const preview = previewOf(rows);
  const lag = bestLag(preview);
  const all = variants.filter((one) => isLikely(one, lag)).map((one) => weigh(one, preview));
  const limit =
    Math.min(...all.map(({ codec, weight }) => (codec === constant ? Number.POSITIVE_INFINITY : weight))) *
    PREVIEW_NEAR;
  return all.filter(({ weight }) => weight <= limit || weight === Number.POSITIVE_INFINITY);
}

/** Of the lags above 1, the one that leaves the smallest differences to the row so many before. */
function bestLag(rows: Int32Array): number {
  const sizes = new Float64Array(MOST_LAG + 1).fill(Number.POSITIVE_INFINITY);
  for (let lag = 2; lag <= MOST_LAG; lag++) sizes[lag] = lagMagnitude(rows, lag);
  return sizes.indexOf(Math.min(...sizes));
}

function lagMagnitude(rows: Int32Array, lag: number): number {
  let bits = 0;
  for (let i = lag; i < rows.length; i++) bits += magnitudeOf((rows[i]! - rows[i - lag]!) | 0);
  return bits;
}

const HAVE_LAGS: readonly IntCodec[] = [deltaVarint, deltaPlanes];

function isLikely({ codec, variant }: Variant, lag: number): boolean {
  return variant <= 1 || variant === lag || !HAVE_LAGS.includes(codec);
}

const scratch = new ByteBuffer();

function weigh({ codec, variant }: Variant, rows: Int32Array): Weighed {
  scratch.clear();
  if (!codec.encode(rows, variant, scratch)) {
    return { codec, variant, bytes: Number.POSITIVE_INFINITY, weight: Number.POSITIVE_INFINITY };
  }
  const deflated = estimateDeflated(scratch.bytes.subarray(0, scratch.length));
  const plain = deflated >= scratch.length * WORTH_COMPRESSING;
  const bytes = plain ? scratch.length : deflated;
  return { codec, variant, bytes, weight: bytes * codec.weight * (plain ? WORTH_COMPRESSING : 1) };
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

/** The sampled rows of a column's own stream; of other streams all rows. */
function sampledAccess({ stream, access }: PredictionOffer): ColumnAccess {
  return {
    column: (of, property) => (of === stream ? sampleOf(access.column(of, property)) : access.column(of, property)),
    newestBefore: (of, other) => sampleOf(access.newestBefore(of, other)),
  };
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
