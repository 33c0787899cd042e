import type uPlot from 'uplot';
import type { LineChartData } from '../line-chart.ts';
import type { Colours } from './theme.ts';

const FONT_PX = 12;
const DASH = [5, 4];
/** Between a line and its label, in CSS pixels. */
const GAP = 5;

/** Broken lines with a label: across at a value of the y axis, upwards at a value of the x axis. */
export function guideLines({ limit, mark }: LineChartData, colours: () => Colours): uPlot.Plugin {
  const draw = (plot: uPlot): void => {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    const { guide, text, panel } = colours();
    const right = bbox.left + bbox.width;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = text;
    ctx.lineJoin = 'round';
    ctx.font = `${FONT_PX * ratio}px system-ui, sans-serif`;
    const stroke = (fromX: number, fromY: number, toX: number, toY: number): void => {
      ctx.setLineDash(DASH.map((length) => length * ratio));
      ctx.strokeStyle = guide;
      ctx.lineWidth = ratio;
      ctx.beginPath();
      ctx.moveTo(fromX, fromY);
      ctx.lineTo(toX, toY);
      ctx.stroke();
    };
    // over whatever lines are there
    const write = (label: string, x: number, y: number): void => {
      ctx.setLineDash([]);
      ctx.strokeStyle = panel;
      ctx.lineWidth = 4 * ratio;
      ctx.strokeText(label, x, y);
      ctx.fillText(label, x, y);
    };
    if (limit !== undefined) {
      const y = Math.floor(plot.valToPos(limit.at, 'y', true)) + 0.5;
      stroke(bbox.left, y, right, y);
      const below = y - bbox.top < (FONT_PX + GAP) * ratio;
      ctx.textAlign = 'right';
      ctx.textBaseline = below ? 'top' : 'bottom';
      write(limit.label, right - GAP * ratio, y + (below ? GAP : -GAP / 2) * ratio);
    }
    if (mark !== undefined) {
      const x = Math.floor(plot.valToPos(mark.at, 'x', true)) + 0.5;
      stroke(x, bbox.top, x, bbox.top + bbox.height);
      const left = x > bbox.left + bbox.width * 0.6;
      ctx.textAlign = left ? 'right' : 'left';
      ctx.textBaseline = 'top';
      write(mark.label, x + (left ? -GAP : GAP) * ratio, bbox.top + GAP * ratio);
    }
    ctx.restore();
  };
  return { hooks: { draw } };
}
