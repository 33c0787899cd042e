import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CompareReport } from '../envelope.ts';
import { launchBrowser, pixelsOf as pixelsIn, watch } from './testing/browser.ts';
import type { Watched } from './testing/browser.ts';
import {
  compareReport,
  compareResult,
  emptyResult,
  hostileReport,
  idleAfterwards,
  tenDesigns,
  unknownResult,
} from '../fixtures/results.ts';
import { htmlRenderer } from '../html.ts';

/** The report in a real browser: drawn, quiet, inert, and usable with a mouse, with keys, in the dark, on paper. */

const folder = mkdtempSync(join(tmpdir(), 'iorr-report-'));
let browser: Browser;
let context: BrowserContext;
/** For what a reader sees whose browser runs no script. */
let unscripted: BrowserContext;

beforeAll(async () => {
  browser = await launchBrowser();
  context = await browser.newContext();
  unscripted = await browser.newContext({ javaScriptEnabled: false });
});

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Opened extends Watched {
  readonly page: Page;
  readonly url: string;
}

interface Look {
  readonly width?: number;
  readonly scheme?: 'light' | 'dark';
  readonly script?: boolean;
}

/** Opens the report of a comparison, lets `use` look at it, and closes it again. */
async function opened(report: CompareReport, look: Look, use: (opened: Opened) => Promise<void>): Promise<void> {
  const file = join(folder, 'report.html');
  writeFileSync(file, htmlRenderer.render(report, { columns: 80, colour: false }));
  const page = await (look.script === false ? unscripted : context).newPage();
  await page.setViewportSize({ width: look.width ?? 1280, height: 900 });
  await page.emulateMedia({ colorScheme: look.scheme ?? 'light' });
  const watched = watch(page);
  const url = pathToFileURL(file).href;
  await page.goto(url);
  if (look.script ?? true) await page.waitForSelector('html[data-ready]');
  try {
    await use({ page, url, ...watched });
  } finally {
    await page.close();
  }
}

function pixelsOf(page: Page, plot: string, rowClass: string): Promise<number> {
  return pixelsIn(page, `.plot[data-plot="${plot}"]`, rowClass);
}

const PLOTS = ['commands', 'syncs', 'hitRate', 'exposed', 'distribution'] as const;

describe('every report', () => {
  test.each([
    ['two designs', compareReport(), 5],
    ['ten designs', compareReport(tenDesigns()), 5],
    ['one design', compareReport(compareResult({ recorded: null, designs: compareResult().designs.slice(0, 1) })), 5],
    ['unknown accesses', compareReport(unknownResult()), 2],
    ['nothing', compareReport(emptyResult()), 0],
    ['hostile text', hostileReport(), 5],
  ])('%s: draws its charts, says nothing, asks for nothing', async (_, report, charts) => {
    await opened(report, {}, async ({ page, url, noise, requests }) => {
      expect(await page.getAttribute('html', 'data-ready')).toBe(String(charts));
      expect(await page.locator('.plot canvas').count()).toBe(charts);
      expect(noise).toEqual([]);
      expect(requests).toEqual([url]);
    });
  });

  test('has no room that scrolls sideways at 400 pixels, but for tables', async () => {
    for (const report of [compareReport(), hostileReport(), compareReport(tenDesigns())]) {
      await opened(report, { width: 400 }, async ({ page }) => {
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(400);
      });
    }
  });

  test('shows its figures without its script', async () => {
    await opened(compareReport(), { script: false }, async ({ page }) => {
      expect(await page.locator('#summary tbody tr').first().isVisible()).toBe(true);
      expect(await page.locator('noscript').textContent()).toContain('tables');
    });
  });
});

test('every design is drawn in every chart, in its colour', async () => {
  await opened(compareReport(), {}, async ({ page }) => {
    for (const plot of PLOTS) {
      for (const row of ['row-0', 'row-1'])
        expect([plot, row, (await pixelsOf(page, plot, row)) > 200]).toEqual([plot, row, true]);
    }
  });
});

test('the legend hides a design in all charts and brings it back', async () => {
  await opened(compareReport(), {}, async ({ page, noise }) => {
    const before = await pixelsOf(page, 'syncs', 'row-1');
    const button = page.locator('figure:has([data-plot="commands"]) .legend button', { hasText: 'linux-lazy' });
    await button.click();
    expect(await button.getAttribute('aria-pressed')).toBe('false');
    for (const plot of PLOTS) expect([plot, (await pixelsOf(page, plot, 'row-1')) < before / 20]).toEqual([plot, true]);
    await button.click();
    expect(await pixelsOf(page, 'syncs', 'row-1')).toBe(before);
    expect(noise).toEqual([]);
  });
});

test('a zoom and the cursor hold for all charts over time, and there is a way back', async () => {
  await opened(compareReport(), {}, async ({ page, noise }) => {
    const plot = page.locator('.plot[data-plot="commands"]');
    await plot.scrollIntoViewIfNeeded();
    const box = await plot.boundingBox();
    if (box === null) throw new Error('the chart has no place');
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + 200, y);
    expect(await page.locator('figure:has([data-plot="exposed"]) .where').textContent()).toMatch(
      /^at [\d.]+\u202fs, [a-z-]+$/,
    );
    await page.mouse.down();
    await page.mouse.move(box.x + 380, y, { steps: 4 });
    await page.mouse.up();
    const resets = page.locator('.tools button:visible', { hasText: 'Whole range' });
    expect(await resets.count()).toBe(4);
    await resets.last().click();
    expect(await resets.count()).toBe(0);
    expect(noise).toEqual([]);
  });
});

test('charts begin with the workload of a trace that is longer, and show the rest on request', async () => {
  await opened(compareReport(idleAfterwards()), {}, async ({ page, noise }) => {
    const figure = page.locator('figure:has([data-plot="hitRate"])');
    const visible = (title: string): Promise<number> =>
      page.locator('.tools button:visible', { hasText: title }).count();
    const before = await pixelsOf(page, 'hitRate', 'row-1');
    expect([await visible('Whole range'), await visible('Workload')]).toEqual([4, 0]);
    await figure.locator('button', { hasText: 'Whole range' }).click();
    expect([await visible('Whole range'), await visible('Workload')]).toEqual([0, 4]);
    expect(await pixelsOf(page, 'hitRate', 'row-1')).not.toBe(before);
    await figure.locator('button', { hasText: 'Workload' }).click();
    expect(await pixelsOf(page, 'hitRate', 'row-1')).toBe(before);
    expect(noise).toEqual([]);
  });
});

test('the keys move the cursor of a chart, and a screen reader hears where it is', async () => {
  await opened(compareReport(), {}, async ({ page }) => {
    const plot = page.locator('.plot[data-plot="distribution"]');
    await plot.focus();
    await page.keyboard.press('Home');
    const first = await plot.getAttribute('aria-valuetext');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    const third = await plot.getAttribute('aria-valuetext');
    expect(first).toMatch(
      /^pages exposed for .* to .*: recorded [\d\u202f]+, linux-strict [\d\u202f]+, linux-lazy [\d\u202f]+$/,
    );
    expect(third).not.toBe(first);
    expect(await plot.getAttribute('role')).toBe('slider');
    expect(await plot.getAttribute('aria-valuenow')).toBe('2');
  });
});

test('a log scale can be chosen, and shows what a linear one hides', async () => {
  await opened(compareReport(), {}, async ({ page, noise }) => {
    const button = page.locator('figure:has([data-plot="commands"]) .tools button', { hasText: 'Log scale' });
    expect(await button.getAttribute('aria-pressed')).toBe('true');
    await button.click();
    expect(await button.getAttribute('aria-pressed')).toBe('false');
    expect(await page.locator('.plot[data-plot="commands"] canvas').count()).toBe(1);
    expect(await pixelsOf(page, 'commands', 'row-0')).toBeGreaterThan(200);
    expect(noise).toEqual([]);
  });
});

test('tables sort by a column, down, up and back, with the unknown last', async () => {
  const [strict, lazy] = compareResult().designs;
  if (strict === undefined || lazy === undefined) throw new Error('no designs');
  const blind = { ...lazy, name: 'blind', exposure: null, commands: 9 };
  const report = compareReport(compareResult({ recorded: null, designs: [strict, blind, lazy] }));
  await opened(report, {}, async ({ page }) => {
    const table = page.locator('#summary table').first();
    const order = async (): Promise<string[]> => table.locator('tbody th .label').allTextContents();
    const sortBy = (title: string): Promise<void> => table.locator('thead button', { hasText: title }).click();
    expect(await order()).toEqual(['linux-strict', 'blind', 'linux-lazy']);
    await sortBy('Commands');
    expect(await order()).toEqual(['blind', 'linux-lazy', 'linux-strict']);
    expect(await table.locator('thead th[aria-sort="ascending"]').count()).toBe(1);
    await sortBy('Page-seconds');
    expect(await order()).toEqual(['linux-strict', 'linux-lazy', 'blind']);
    await sortBy('Page-seconds');
    expect(await order()).toEqual(['linux-lazy', 'linux-strict', 'blind']);
    await sortBy('Page-seconds');
    expect(await order()).toEqual(['linux-strict', 'blind', 'linux-lazy']);
    expect(await table.locator('thead th[aria-sort]').count()).toBe(0);
  });
});

describe('light and dark', () => {
  async function look(page: Page): Promise<{ readonly back: string; readonly row: string; readonly drawn: number }> {
    const [back, row] = await page.evaluate(() => [
      getComputedStyle(document.body).backgroundColor,
      getComputedStyle(document.querySelector('svg.key.row-0') ?? document.body).color,
    ]);
    return { back: back ?? '', row: row ?? '', drawn: await pixelsOf(page, 'commands', 'row-0') };
  }

  test('follow the system, and the charts with them', async () => {
    await opened(compareReport(), { scheme: 'light' }, async ({ page, noise }) => {
      const light = await look(page);
      await page.emulateMedia({ colorScheme: 'dark' });
      const dark = await look(page);
      expect(dark.back).not.toBe(light.back);
      expect(dark.row).not.toBe(light.row);
      // In its own new colour: the canvas was painted again.
      expect(dark.drawn).toBeGreaterThan(200);
      expect(noise).toEqual([]);
    });
  });

  test('can be chosen', async () => {
    await opened(compareReport(), { scheme: 'dark' }, async ({ page }) => {
      const dark = await look(page);
      const button = page.locator('#theme');
      await button.click();
      expect(await button.textContent()).toBe('Theme: Light');
      const light = await look(page);
      expect(light.back).not.toBe(dark.back);
      expect(light.drawn).toBeGreaterThan(200);
      await button.click();
      expect((await look(page)).back).toBe(dark.back);
    });
  });

  test('paper is always light', async () => {
    await opened(compareReport(), { scheme: 'dark' }, async ({ page }) => {
      await page.emulateMedia({ media: 'print' });
      const paper = await look(page);
      expect(paper.back).toBe('rgb(255, 255, 255)');
      expect(paper.drawn).toBeGreaterThan(200);
      const pdf = await page.pdf({ format: 'A4' });
      expect(pdf.subarray(0, 5).toString('latin1')).toBe('%PDF-');
    });
  });

  test.each(['light', 'dark'] as const)('%s: text stands out from what it lies on (WCAG AA)', async (scheme) => {
    await opened(hostileReport(), { scheme }, async ({ page }) => {
      const weak = await page.evaluate(() => {
        const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 1;
        const context = canvas.getContext('2d', { willReadFrequently: true });
        const channels = (colour: string): readonly number[] => {
          if (context === null) return [];
          context.clearRect(0, 0, 1, 1);
          context.fillStyle = colour;
          context.fillRect(0, 0, 1, 1);
          return [...context.getImageData(0, 0, 1, 1).data];
        };
        const light = (colour: string): number => {
          const [red = 0, green = 0, blue = 0] = channels(colour).map((value) => {
            const share = value / 255;
            return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        };
        const backOf = (element: Element): string => {
          for (let at: Element | null = element; at !== null; at = at.parentElement) {
            const { backgroundColor } = getComputedStyle(at);
            if ((channels(backgroundColor)[3] ?? 0) === 255) return backgroundColor;
          }
          return 'white';
        };
        const found = new Set<string>();
        for (const element of document.querySelectorAll(
          'h1, h2, h3, p, li, a, b, th, td, button, dt, dd, summary, code, span',
        )) {
          if (element.textContent === '') continue;
          const [a, b] = [light(getComputedStyle(element).color), light(backOf(element))];
          const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          if (contrast < 4.5) found.add(`${element.tagName} ${element.className} ${contrast.toFixed(2)}`);
        }
        return [...found];
      });
      expect(weak).toEqual([]);
    });
  });
});

describe('hostile text', () => {
  test('is text: no element, no dialog, no request', async () => {
    await opened(hostileReport(), {}, async ({ page, url, noise, requests }) => {
      await page.mouse.move(400, 400);
      await page.mouse.wheel(0, 3000);
      expect(await page.locator('img, iframe, object, embed, form, link').count()).toBe(0);
      expect(await page.locator('script').count()).toBe(2);
      expect(await page.locator('h1').textContent()).toContain('<script>alert(1)</script>');
      expect(await page.title()).toContain('<script>');
      expect(noise).toEqual([]);
      expect(requests).toEqual([url]);
    });
  });

  test('could do nothing even if it got in: the policy refuses scripts, markup, images and requests', async () => {
    await opened(compareReport(), {}, async ({ page, url, requests, stopped }) => {
      const refused = await page.evaluate(async () => {
        const violations: string[] = [];
        document.addEventListener('securitypolicyviolation', (event) => violations.push(event.effectiveDirective));
        let markup = 'taken';
        try {
          document.body.insertAdjacentHTML('beforeend', '<img src="https://example.invalid/x.png">');
        } catch {
          markup = 'refused';
        }
        const image = document.createElement('img');
        image.src = 'https://example.invalid/x.png';
        document.body.append(image);
        const styled = document.createElement('p');
        styled.setAttribute('style', 'color: red');
        document.body.append(styled);
        const fetched = await fetch('https://example.invalid/').then(
          () => 'sent',
          () => 'refused',
        );
        const script = document.createElement('script');
        let written = 'taken';
        try {
          script.textContent = 'document.title = "changed"';
          document.body.append(script);
        } catch {
          written = 'refused';
        }
        await new Promise((done) => setTimeout(done, 50));
        return { markup, fetched, written, title: document.title, violations: [...new Set(violations)].sort() };
      });
      expect(refused).toMatchObject({ markup: 'refused', fetched: 'refused', title: 'run.iorr: iorr compare' });
      expect(refused.violations).toEqual(
        expect.arrayContaining(['connect-src', 'img-src', 'require-trusted-types-for', 'style-src-attr']),
      );
      expect(requests.filter((request) => request !== url)).toEqual(stopped);
    });
  });
});
