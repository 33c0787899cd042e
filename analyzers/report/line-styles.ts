/** How a row of the comparison is drawn, in the page and in its charts alike. */
export interface LineStyle {
  /** Class that gives the row its colour; the style sheet has `row-recorded` and `row-0` to `row-9`. */
  readonly className: string;
  /** Lengths of dashes and gaps in CSS pixels, so that rows can be told apart without seeing colours; empty: unbroken. */
  readonly dash: readonly number[];
  readonly width: number;
}

const COLOURS = 10;
const DASHES: readonly (readonly number[])[] = [[], [], [8, 3], [2, 3], [10, 3, 2, 3]];

/** `design`: its number among the designs, from 0. What was recorded is a thin broken line, to lie on top of a design. */
export function lineStyle(design: number, recorded: boolean): LineStyle {
  if (recorded) return { className: 'row-recorded', dash: [3, 3], width: 1.25 };
  return { className: `row-${design % COLOURS}`, dash: DASHES[design % DASHES.length] ?? [], width: 1.75 };
}
