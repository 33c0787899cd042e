import type uPlot from 'uplot';
import type { Colours } from '../../report/client/theme.ts';

/** Cells of a map: time to the right, blocks upwards. */
interface Cells {
  /** Seconds. */
  readonly from: number;
  readonly to: number;
  readonly bins: number;
  readonly blocks: number;
  /** By block, then by part. */
  readonly cells: Uint32Array;
}

const LEAST_ALPHA = 0.18;

/** Draws one rectangle a cell, the darker the more, on a log scale. */
export function heatCells({ from, to, bins, blocks, cells }: Cells, colours: () => Colours): uPlot.Plugin {
  const most = cells.reduce((high, count) => Math.max(high, count), 1);
  const width = (to - from) / bins;
  const draw = (plot: uPlot): void => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colours().rows[0] ?? '';
    for (let block = 0; block < blocks; block++) {
      const top = plot.valToPos(block + 1, 'y', true);
      const height = plot.valToPos(block, 'y', true) - top;
      for (let i = 0; i < bins; i++) {
        const count = cells[block * bins + i] ?? 0;
        if (count === 0) continue;
        // whole pixels: what is drawn beside it would shine through the edges
        const left = Math.floor(plot.valToPos(from + i * width, 'x', true));
        const right = Math.ceil(plot.valToPos(from + (i + 1) * width, 'x', true));
        if (right < bbox.left || left > bbox.left + bbox.width) continue;
        ctx.globalAlpha = LEAST_ALPHA + (1 - LEAST_ALPHA) * (most <= 1 ? 1 : Math.log(count) / Math.log(most));
        ctx.fillRect(left, top, Math.max(1, right - left), Math.max(1, height - 0.5));
      }
    }
    ctx.restore();
  };
  return { hooks: { drawClear: draw } };
}
