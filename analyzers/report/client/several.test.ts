import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostile } from '../fixtures/hostile.ts';
import { parseResultDocument } from '../several/result-document.ts';
import { severalPage } from '../several/several-page.ts';
import { dragOver, launchBrowser, pixelsOf, watch } from './testing/browser.ts';
import type { Watched } from './testing/browser.ts';

/** Several results on one page, from a file, in a real browser. */

const RESULTS = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/results.json'), 'utf8'),
) as readonly object[];
const folder = mkdtempSync(join(tmpdir(), 'iorr-several-'));
/** Results of which the tests of single things need no more. */
const FEW = ['replay', 'analyze latency', 'analyze dirty', 'analyze safety'];
let browser: Browser;
let context: BrowserContext;

beforeAll(async () => {
  const documents = RESULTS.map((result, i) => parseResultDocument(JSON.stringify(result), `${i}.json`));
  const few = documents.filter(({ chapter }) => FEW.includes(chapter.command));
  writeFileSync(join(folder, 'all.html'), severalPage(documents, '0.0.0'));
  writeFileSync(join(folder, 'few.html'), severalPage(few, '0.0.0'));
  const evil = RESULTS.map((result, i) => parseResultDocument(JSON.stringify(hostile(result)), `${i}.json`));
  writeFileSync(join(folder, 'evil.html'), severalPage(evil, '0.0.0'));
  browser = await launchBrowser();
  context = await browser.newContext();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function opened(
  look: { readonly width?: number; readonly scheme?: 'light' | 'dark'; readonly page?: 'all' | 'few' | 'evil' },
  use: (page: Page, watched: Watched, url: string) => Promise<void>,
): Promise<void> {
  const page = await context.newPage();
  await page.setViewportSize({ width: look.width ?? 1280, height: 900 });
  await page.emulateMedia({ colorScheme: look.scheme ?? 'light' });
  const watched = watch(page);
  const url = pathToFileURL(join(folder, `${look.page ?? 'few'}.html`)).href;
  await page.goto(url);
  await page.waitForSelector('html[data-ready]');
  try {
    await use(page, watched, url);
  } finally {
    await page.close();
  }
}

describe('several results on one page', () => {
  test('all charts are drawn, nothing is said, and nobody is asked for anything', async () => {
    await opened({ page: 'all' }, async (page, { noise, requests }, url) => {
      const plots = await page.locator('.plot').count();
      expect(plots).toBeGreaterThan(12);
      expect(await page.locator('.plot canvas').count()).toBe(plots);
      expect(noise).toEqual([]);
      expect(requests).toEqual([url]);
    });
  });

  test('hostile text is text: no element, no dialog, no request', async () => {
    await opened({ page: 'evil' }, async (page, { noise, requests }, url) => {
      await page.mouse.wheel(0, 5000);
      expect(await page.locator('#overview').textContent()).toContain('<script>alert(2)</script>');
      expect(await page.locator('img, iframe, object, embed, form, link').count()).toBe(0);
      expect(await page.locator('script:not([type])').count()).toBe(1);
      expect(await page.locator('.plot canvas').count()).toBeGreaterThan(12);
      expect(noise).toEqual([]);
      expect(requests).toEqual([url]);
    });
  });

  test('pictures over time become charts, in their colours', async () => {
    await opened({}, async (page) => {
      const host = 'article[aria-label="analyze dirty"] .series >> nth=0';
      expect(await page.locator(host).locator('noscript, script').count()).toBe(0);
      expect(await pixelsOf(page, 'article[aria-label="analyze dirty"] .series', 'row-0')).toBeGreaterThan(100);
    });
  });

  test('charts of one trace zoom together, those of another stay', async () => {
    await opened({}, async (page) => {
      const resets = (article: string): Promise<number> =>
        page.locator(`article[aria-label="${article}"] .tools button:visible`, { hasText: 'Whole range' }).count();
      const before = await resets('analyze dirty');
      await dragOver(page, 'article[aria-label="replay"] .plot[data-plot="commands"]', 0.3, 0.6);
      expect(await resets('replay')).toBe(3);
      expect(await resets('analyze latency')).toBeGreaterThan(0);
      expect(await resets('analyze dirty')).toBe(before);
      await page.locator('article[aria-label="replay"] .plot[data-plot="hitRate"] .u-over').dblclick();
      expect(await resets('replay')).toBe(0);
      expect(await resets('analyze latency')).toBe(0);
    });
  });

  test('a chart tells its values as a table, of what it shows', async () => {
    await opened({}, async (page) => {
      const figure = page.locator('article[aria-label="replay"] figure').first();
      const button = figure.locator('.tools button', { hasText: 'Table' });
      await button.click();
      expect(await button.getAttribute('aria-expanded')).toBe('true');
      const rows = await figure.locator('.values tbody tr').count();
      expect(rows).toBe(8);
      await dragOver(page, 'article[aria-label="replay"] .plot[data-plot="commands"]', 0.1, 0.5);
      expect(await figure.locator('.values tbody tr').count()).toBeLessThan(rows);
      await button.click();
      expect(await figure.locator('.values').isVisible()).toBe(false);
    });
  });

  test('tables sort by the keyboard, and say how', async () => {
    await opened({}, async (page) => {
      const table = page.locator('#overview table').first();
      const names = (): Promise<string[]> => table.locator('tbody th').allTextContents();
      const before = await names();
      await table.locator('thead button').first().focus();
      await page.keyboard.press('Enter');
      expect(await table.locator('th[aria-sort="ascending"]').count()).toBe(1);
      expect(await names()).toEqual(before.toSorted((a, b) => a.localeCompare(b, 'en')));
      await page.keyboard.press('Space');
      expect(await table.locator('th[aria-sort="descending"]').count()).toBe(1);
      await page.keyboard.press('Enter');
      expect(await names()).toEqual(before);
    });
  });

  test('the keyboard skips to the figures and sees where it is', async () => {
    await opened({}, async (page) => {
      await page.keyboard.press('Tab');
      expect(await page.evaluate(() => document.activeElement?.className)).toBe('skip');
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle);
      expect(outline).toBe('solid');
      await page.keyboard.press('Enter');
      expect(page.url()).toMatch(/#overview$/);
      const unreachable = await page
        .locator('.plot')
        .evaluateAll((plots) => plots.filter((plot) => (plot as HTMLElement).tabIndex !== 0).length);
      expect(unreachable).toBe(0);
    });
  });

  test('paper is light, and nothing is folded away on it', async () => {
    await opened({ scheme: 'dark' }, async (page) => {
      const folded = (): Promise<number> => page.locator('main details:not([open])').count();
      expect(await folded()).toBeGreaterThan(2);
      await page.emulateMedia({ media: 'print' });
      await page.evaluate(() => globalThis.dispatchEvent(new Event('beforeprint')));
      expect(await folded()).toBe(0);
      expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgb(255, 255, 255)');
      await page.evaluate(() => globalThis.dispatchEvent(new Event('afterprint')));
      expect(await folded()).toBeGreaterThan(2);
    });
  });

  test('dark is dark, by the system and by the switch, which needs no storage', async () => {
    await opened({ scheme: 'dark' }, async (page, { noise }) => {
      const back = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      expect(await back()).toBe('rgb(16, 19, 23)');
      await page.locator('#theme').click();
      expect(await back()).toBe('rgb(246, 247, 249)');
      expect(await page.evaluate(() => document.cookie)).toBe('');
      expect(noise).toEqual([]);
    });
  });

  test('does not scroll sideways at 400 pixels, but for tables', async () => {
    await opened({ width: 400, page: 'all' }, async (page) => {
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(400);
    });
  });
});
