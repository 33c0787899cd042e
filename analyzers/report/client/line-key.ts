import type { LineStyle } from '../line-styles.ts';

const SVG = 'http://www.w3.org/2000/svg';

/** A stroke as the line has it in the chart, for a legend. */
export function keyOf({ className, dash, width }: LineStyle): SVGElement {
  const key = document.createElementNS(SVG, 'svg');
  key.setAttribute('class', `key ${className}`);
  key.setAttribute('viewBox', '0 0 22 10');
  key.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS(SVG, 'line');
  const places = { x1: '0', y1: '5', x2: '22', y2: '5', 'stroke-width': String(width + 0.75) };
  for (const [name, value] of Object.entries(places)) line.setAttribute(name, value);
  line.setAttribute('stroke-dasharray', dash.join(' '));
  key.append(line);
  return key;
}
