import type { ChartData } from '../chart-data.ts';

/** The figures that the page carries with it, by `data-set` of its chapters. */
export function readData(): readonly ChartData[] {
  const element = document.getElementById('iorr-data');
  return JSON.parse(element?.textContent ?? '[]') as readonly ChartData[];
}

/** All elements of a kind; the page was made by the same program, so a wrong kind is a fault of ours. */
export function elements<T extends HTMLElement>(
  selector: string,
  kind: abstract new () => T,
  root: ParentNode = document,
): T[] {
  return [...root.querySelectorAll(selector)].filter((element): element is T => element instanceof kind);
}
