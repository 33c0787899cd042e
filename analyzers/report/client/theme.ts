/** Colours of the page as the canvas needs them, and the switch between light and dark. */

type Mode = 'auto' | 'light' | 'dark';
const MODES: readonly Mode[] = ['auto', 'light', 'dark'];
const TITLES: { readonly [M in Mode]: string } = { auto: 'Auto', light: 'Light', dark: 'Dark' };

export interface Colours {
  readonly text: string;
  readonly faint: string;
  readonly grid: string;
  readonly band: string;
  readonly guide: string;
  readonly panel: string;
  /** By row, as `rowClass` of the page numbers them. */
  readonly rows: readonly string[];
}

/** What the style sheet makes of a class's `color`; a custom property alone would come back unresolved. */
function resolved(probe: HTMLElement, name: string): string {
  probe.className = name;
  return getComputedStyle(probe).color;
}

/** Reads the colours that hold now. `rowClasses`: the class of each row, in order. */
export function readColours(rowClasses: readonly string[]): Colours {
  const probe = document.createElement('i');
  probe.hidden = true;
  document.body.append(probe);
  const colours: Colours = {
    text: resolved(probe, 'ink'),
    faint: resolved(probe, 'ink-faint'),
    grid: resolved(probe, 'ink-grid'),
    band: resolved(probe, 'ink-band'),
    guide: resolved(probe, 'ink-guide'),
    panel: resolved(probe, 'ink-panel'),
    rows: rowClasses.map((name) => resolved(probe, name)),
  };
  probe.remove();
  return colours;
}

/** Wires the button, and calls back whenever the colours may have changed: by it, by the system, or for printing. */
export function watchTheme(button: HTMLButtonElement, changed: () => void): void {
  let mode: Mode = 'auto';
  const root = document.documentElement;
  const show = (): void => {
    if (mode === 'auto') delete root.dataset['theme'];
    else root.dataset['theme'] = mode;
    button.textContent = `Theme: ${TITLES[mode]}`;
  };
  button.hidden = false;
  show();
  button.addEventListener('click', () => {
    mode = MODES[(MODES.indexOf(mode) + 1) % MODES.length] ?? 'auto';
    show();
    changed();
  });
  for (const query of ['(prefers-color-scheme: dark)', 'print']) {
    globalThis.matchMedia(query).addEventListener('change', changed);
  }
}
