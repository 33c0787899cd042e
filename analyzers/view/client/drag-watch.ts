/** Knows whether the mouse is held down on a chart: one that is drawn anew meanwhile would lose the drag. */
export class DragWatch {
  #held = false;
  readonly #waiting: (() => void)[] = [];

  constructor() {
    const begin = (event: MouseEvent): void => {
      this.#held = event.target instanceof Element && event.target.closest('.u-over') !== null;
    };
    // a button that goes up outside of the window is not told: no button is down in what comes next
    const end = (event: MouseEvent): void => {
      if (event.type === 'mouseup' || event.buttons === 0) this.#release();
    };
    document.addEventListener('mousedown', begin, true);
    for (const type of ['mouseup', 'mousemove'] as const) document.addEventListener(type, end, true);
  }

  /** When no chart is held. */
  free(): Promise<void> {
    return this.#held ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  #release(): void {
    if (!this.#held) return;
    this.#held = false;
    // the chart hears of it first
    setTimeout(() => {
      for (const go of this.#waiting.splice(0)) go();
    });
  }
}
