import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseResultDocument } from '../several/result-document.ts';
import { severalPage } from '../several/several-page.ts';
import { dragOver, launchBrowser, pixelsOf, watch } from './testing/browser.ts';

/** Charts over sizes, settings and durations: what sweeps, plans and page requests show. */

const RESULTS = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/results.json'), 'utf8'),
) as readonly object[];
const SHOWN = ['sweep', 'plan', 'compare --pri', 'analyze iotlb'] as const;
const folder = mkdtempSync(join(tmpdir(), 'iorr-lines-'));
const file = join(folder, 'lines.html');
let browser: Browser;

beforeAll(async () => {
  const documents = RESULTS.map((result, i) => parseResultDocument(JSON.stringify(result), `${i}.json`));
  const some = documents.filter(({ chapter }) => SHOWN.some((name) => name === chapter.command));
  writeFileSync(file, severalPage(some, '0.0.0'));
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function opened(
  use: (page: Page) => Promise<void>,
  look: { scheme?: 'dark'; width?: number } = {},
): Promise<void> {
  const page = await browser.newPage({
    viewport: { width: look.width ?? 1280, height: 900 },
    colorScheme: look.scheme ?? 'light',
  });
  const { noise } = watch(page);
  try {
    await page.goto(pathToFileURL(file).href);
    await page.waitForSelector('html[data-ready]');
    await use(page);
    expect(noise).toEqual([]);
  } finally {
    await page.close();
  }
}

function chapter(page: Page, command: (typeof SHOWN)[number]): Locator {
  return page.locator(`article[aria-label="${command}"]`);
}

/** What the legends of charts say of the place under the cursor. */
function places(charts: Locator): Promise<string[]> {
  return charts.locator('.legend .where').allTextContents();
}

describe.each(['light', 'dark'] as const)('in the %s', (scheme) => {
  test.each(SHOWN)('%s draws its charts', async (command) => {
    await opened(
      async (page) => {
        const figures = chapter(page, command).locator('figure:has(.series)');
        expect(await figures.count()).toBeGreaterThan(0);
        expect(await figures.locator('canvas').count()).toBe(await figures.count());
        const host = `article[aria-label="${command}"] .series`;
        // a line may lie on top of another
        const pixels = await Promise.all(['row-0', 'row-1'].map((row) => pixelsOf(page, host, row)));
        expect(Math.max(...pixels)).toBeGreaterThan(20);
      },
      scheme === 'dark' ? { scheme } : {},
    );
  });
});

test('charts over one axis share cursor and zoom, those over another stay', async () => {
  await opened(async (page) => {
    const charts = chapter(page, 'compare --pri');
    const within = charts.locator('figure:has(.series)', { hasText: 'Answered within' });
    const spread = charts.locator('figure:has(.series)', { hasText: 'Distribution' });
    const queue = charts.locator('figure:has(.series)', { hasText: 'Entries of the hardware queue' });
    await within.locator('.plot').focus();
    await page.keyboard.press('Home');
    const [first = ''] = await places(within);
    expect(first).toMatch(/^from the last request to the response \d/);
    expect(await places(spread)).toEqual([first]);
    expect(await places(queue)).toEqual(['']);
    await page.keyboard.press('ArrowRight');
    expect(await places(within)).not.toEqual([first]);

    const resets = (one: Locator): Promise<number> => one.locator('button:visible', { hasText: 'Whole range' }).count();
    await page.keyboard.press('+');
    expect([await resets(within), await resets(spread), await resets(queue)]).toEqual([1, 1, 0]);
    await page.keyboard.press('0');
    expect([await resets(within), await resets(spread)]).toEqual([0, 0]);
    await dragOver(page, 'article[aria-label="compare --pri"] .series >> nth=0', 0.3, 0.6);
    expect([await resets(within), await resets(spread), await resets(queue)]).toEqual([1, 1, 0]);
  });
});

test('lines of the same names are switched off together', async () => {
  await opened(async (page) => {
    const charts = chapter(page, 'compare --pri').locator('figure:has(.series)', { hasText: /depth=16/ });
    expect(await charts.count()).toBeGreaterThan(1);
    await charts.first().locator('.legend button').first().click();
    const off = charts.locator('.legend button.row-0[aria-pressed="false"]');
    expect(await off.count()).toBe(await charts.count());
  });
});

test('a plan has the limit and the answer in its chart, whatever is shown', async () => {
  await opened(async (page) => {
    const host = 'article[aria-label="plan"] .series >> nth=0';
    const guide = (): Promise<number> => pixelsOf(page, 'article[aria-label="plan"] .series', 'ink-guide');
    expect(await guide()).toBeGreaterThan(100);
    await dragOver(page, host, 0.1, 0.5);
    expect(await guide()).toBeGreaterThan(100);
  });
});

test('nothing but tables scrolls sideways at 400 pixels, and axes keep their labels', async () => {
  await opened(
    async (page) => {
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(400);
      for (const canvas of await page.locator('.series canvas').all()) {
        expect((await canvas.boundingBox())?.width).toBeLessThanOrEqual(400);
      }
    },
    { width: 400 },
  );
});

test('on paper a chart is as wide as the page', async () => {
  await opened(async (page) => {
    await page.emulateMedia({ media: 'print' });
    await page.setViewportSize({ width: 700, height: 900 });
    await page.evaluate(() => globalThis.dispatchEvent(new Event('beforeprint')));
    for (const plot of await page.locator('.series').all()) {
      const room = (await plot.boundingBox())?.width ?? 0;
      expect((await plot.locator('canvas').boundingBox())?.width).toBeLessThanOrEqual(Math.ceil(room));
    }
  });
});

test('who runs no script is told so where a chart would be', async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(pathToFileURL(file).href);
  const told = await page.locator('.series noscript').allTextContents();
  expect(told.length).toBeGreaterThan(5);
  for (const text of told) expect(text).toContain('script');
  await context.close();
});
