import { elements } from './data.ts';
import type { ChartPage } from './page.ts';
import { makeTablesSortable } from './sortable.ts';
import { watchTheme } from './theme.ts';

/** A printed page is narrower, always light, and has nothing folded away. */
function watchPrint(page: ChartPage): void {
  let folded: HTMLDetailsElement[] = [];
  globalThis.addEventListener('beforeprint', () => {
    folded = elements('main details:not([open])', HTMLDetailsElement);
    for (const one of folded) one.open = true;
    page.fit();
    page.repaint();
  });
  globalThis.addEventListener('afterprint', () => {
    for (const one of folded) one.open = false;
    folded = [];
    page.fit();
    page.repaint();
  });
}

/** Puts a text where the reader can paste it from; what that is has been shown beside the button all the time. */
function makeCommandsCopyable(): void {
  if (!('clipboard' in navigator)) return;
  for (const code of elements('code.command', HTMLElement)) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'copy';
    button.textContent = 'Copy';
    button.addEventListener('click', () => {
      void navigator.clipboard.writeText(code.textContent ?? '').then(() => {
        button.textContent = 'Copied';
      });
    });
    code.after(button);
  }
}

/** What every page does once its charts are drawn. */
export function startPage(page: ChartPage): void {
  makeTablesSortable();
  makeCommandsCopyable();
  const [themeButton] = elements('#theme', HTMLButtonElement);
  if (themeButton !== undefined) watchTheme(themeButton, () => page.repaint());
  watchPrint(page);
  document.documentElement.dataset['ready'] = String(page.count);
}
