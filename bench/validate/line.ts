/**
 * What a line says of the model: `predicted` (no parameter was fitted on it), `fitted` (one was), `input` (the figure itself goes
 * into the model, or is a constant of the code it describes), `out-of-scope` (the model lacks a parameter, which `why` names).
 */
export type LineStatus = 'predicted' | 'fitted' | 'input' | 'out-of-scope';

/** A published figure: one value, or the range that its source gives. */
export type PublishedFigure = number | readonly [least: number, most: number];

/** One published figure against what the model gives for it. */
export interface ValidationLine {
  /** `A.1`, `B.misses.5-flows`: unique, and of the section that it begins with. */
  readonly id: string;
  readonly what: string;
  /** `ns`, `per page`, `share`, ... of both figures. */
  readonly unit: string;
  readonly published: PublishedFigure;
  /** undefined where the line is out of scope. */
  readonly predicted: number | undefined;
  /** |predicted - published| / |published|; 0 inside a published range, else from its nearer end; undefined without a prediction. */
  readonly error: number | undefined;
  /** Largest error with which the line holds; undefined where none is asked for. */
  readonly tolerance: number | undefined;
  readonly status: LineStatus;
  /** The points or lines on which the parameters behind it were fitted; none where they were read elsewhere. */
  readonly fittedOn: readonly string[];
  /** How the figure comes about, or what is missing. */
  readonly why: string;
}

/** A group of lines that one run of the model answers: one file each, listed in `sections.ts`. */
export interface ValidationSection {
  /** `A` to `E`. */
  readonly name: string;
  readonly title: string;
  /** Where the published figures are from. */
  readonly source: string;
  /** Runs the model. `short` allows what differs in length alone, for a run of a few seconds. Same result on every call. */
  readonly run: (short: boolean) => readonly ValidationLine[] | Promise<readonly ValidationLine[]>;
  /** What the lines together say, after the table: what holds, what the data rule out. */
  readonly notes?: (lines: readonly ValidationLine[]) => readonly string[];
}

/** A line before its error is known. */
export type LineDraft = Omit<ValidationLine, 'error' | 'tolerance' | 'predicted' | 'fittedOn'> & {
  readonly predicted?: number;
  readonly tolerance?: number;
  readonly fittedOn?: readonly string[];
};

/** The line with its error. Throws `RangeError` if the status and the prediction contradict each other. */
export function validationLine(draft: LineDraft): ValidationLine {
  const { predicted, published, status } = draft;
  if ((predicted === undefined) !== (status === 'out-of-scope')) {
    throw new RangeError(`${draft.id}: a line has a prediction unless it is out of scope`);
  }
  return {
    ...draft,
    predicted,
    error: predicted === undefined ? undefined : errorOf(predicted, published),
    tolerance: draft.tolerance,
    fittedOn: draft.fittedOn ?? [],
  };
}

/** True if the line is within its tolerance, or has none. */
export function holds(line: ValidationLine): boolean {
  return line.tolerance === undefined || line.error === undefined || line.error <= line.tolerance;
}

function errorOf(predicted: number, published: PublishedFigure): number {
  const [least, most] = typeof published === 'number' ? [published, published] : published;
  if (predicted >= least && predicted <= most) return 0;
  const nearer = predicted < least ? least : most;
  return Math.abs(predicted - nearer) / Math.abs(nearer);
}
