import type uPlot from 'uplot';
import type { PhaseData } from '../chart-data.ts';
import type { Colours } from './theme.ts';

/** Room above the plot for the names, in CSS pixels. */
export const PHASE_STRIP = 18;

const FONT_PX = 11;
const NARROWEST = 18;

/** Shades every second phase, marks where each begins, and writes the names that fit above the plot. */
export function phaseBands(phases: readonly PhaseData[], colours: () => Colours): uPlot.Plugin {
  const draw = (plot: uPlot): void => {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    const right = bbox.left + bbox.width;
    const { band, faint, grid } = colours();
    ctx.save();
    ctx.font = `${FONT_PX * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'left';
    phases.forEach((phase, i) => {
      const from = Math.max(bbox.left, plot.valToPos(phase.from, 'x', true));
      const to = Math.min(right, plot.valToPos(phase.to, 'x', true));
      if (to <= bbox.left || from >= right) return;
      if (i % 2 === 0) {
        ctx.fillStyle = band;
        ctx.fillRect(from, bbox.top - PHASE_STRIP * ratio, to - from, bbox.height + PHASE_STRIP * ratio);
      }
      ctx.fillStyle = grid;
      ctx.fillRect(Math.round(from), bbox.top - PHASE_STRIP * ratio, ratio, bbox.height + PHASE_STRIP * ratio);
      const text = fitted(ctx, phase.name, to - from - 8 * ratio, NARROWEST * ratio);
      ctx.fillStyle = faint;
      ctx.fillText(text, from + 5 * ratio, bbox.top - (PHASE_STRIP / 2) * ratio);
    });
    ctx.restore();
  };
  return { hooks: { drawClear: draw } };
}

/** The text, cut with an ellipsis to the width; nothing where that would say nothing. */
function fitted(ctx: CanvasRenderingContext2D, text: string, width: number, narrowest: number): string {
  if (width < narrowest) return '';
  if (ctx.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && ctx.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return length < 2 ? '' : `${text.slice(0, length)}…`;
}
