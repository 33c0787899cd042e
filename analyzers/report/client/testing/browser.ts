import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function browserPath(): string {
  const given = process.env['CHROMIUM'];
  const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const found = (given === undefined || given === '' ? places : [given]).find((path) => existsSync(path));
  if (found === undefined) throw new Error('no Chromium on this machine: run `npm run setup`, or name one in CHROMIUM');
  return found;
}

/** The real browser that pages are tested in. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: browserPath(), args: FLAGS });
}

/** What a page did that nobody asked it for. */
export interface Watched {
  /** Console messages, page errors, dialogs: all unwanted. */
  readonly noise: string[];
  readonly requests: string[];
  /** Requests that the page's policy stopped before they left. */
  readonly stopped: string[];
}

export function watch(page: Page): Watched {
  const watched: Watched = { noise: [], requests: [], stopped: [] };
  page.on('console', (message) => watched.noise.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => watched.noise.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    watched.noise.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => watched.requests.push(request.url()));
  page.on('requestfailed', (request) => {
    if (request.failure()?.errorText === 'csp') watched.stopped.push(request.url());
  });
  return watched;
}

/** Pixels of a chart's canvas that have the colour of a class (`row-0`, `ink-guide`), or nearly. `host`: a selector of the chart's element. */
export async function pixelsOf(page: Page, host: string, rowClass: string): Promise<number> {
  // Charts are drawn in the frame after their change.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  return page.evaluate(
    ([selector, row]) => {
      const canvas = document.querySelector<HTMLCanvasElement>(`${selector} canvas`);
      if (canvas === null) return -1;
      const sample = document.createElement('i');
      sample.className = row;
      document.body.append(sample);
      const [red = 0, green = 0, blue = 0] = (getComputedStyle(sample).color.match(/\d+/g) ?? []).map(Number);
      sample.remove();
      const copy = document.createElement('canvas');
      copy.width = canvas.width;
      copy.height = canvas.height;
      const context = copy.getContext('2d', { willReadFrequently: true });
      context?.drawImage(canvas, 0, 0);
      const data = context?.getImageData(0, 0, copy.width, copy.height).data ?? [];
      let count = 0;
      for (let i = 0; i + 3 < data.length; i += 4) {
        const near = (at: number, wanted: number): boolean => Math.abs((data[i + at] ?? 0) - wanted) < 40;
        if ((data[i + 3] ?? 0) > 128 && near(0, red) && near(1, green) && near(2, blue)) count++;
      }
      return count;
    },
    [host, rowClass] as const,
  );
}

/** Drags over a part of an element, in shares of its width: a zoom. */
export async function dragOver(page: Page, host: string, from: number, to: number): Promise<void> {
  const element = page.locator(host);
  await element.scrollIntoViewIfNeeded();
  const box = await element.locator('.u-over').boundingBox();
  if (box === null) throw new Error('the chart has no place');
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * from, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * to, y, { steps: 4 });
  await page.mouse.up();
}
