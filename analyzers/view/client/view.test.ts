import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTrace } from '../../../traces/file.ts';
import type { OpenTrace } from '../../../traces/file.ts';
import { describeInput, makeEnvelope } from '../../../traces/envelope.ts';
import { toJson } from '../../../traces/plain-json.ts';
import { replayTrace } from '../../../replay/engine/replay.ts';
import { hardwareProfile } from '../../../replay/hardware/profiles.ts';
import { dragOver, launchBrowser, pixelsOf, watch } from '../../report/client/testing/browser.ts';
import type { Watched } from '../../report/client/testing/browser.ts';
import { readResultDocument } from '../../report/several/result-document.ts';
import { HOSTILE } from '../../report/fixtures/hostile.ts';
import { SEGMENT, STEP_NS, writeSmallTrace } from '../fixtures/small-trace.ts';
import { TraceOverview } from '../trace-window.ts';
import { viewData } from '../view-data.ts';
import { viewPage } from '../view-page.ts';
import { serveView } from '../view-server.ts';
import type { RunningView } from '../view-server.ts';

/** A trace in a real browser: drawn, zoomed into, its rows, its events; and inert. */

const SEGMENTS = 40;
const folder = mkdtempSync(join(tmpdir(), 'iorr-view-'));
let browser: Browser;
let context: BrowserContext;
let trace: OpenTrace;
let view: RunningView;

/** A replay of the trace, and a finding of a safety analysis, both as files that a command printed. */
function writeResults(file: string): readonly string[] {
  const input = [describeInput(file, trace, trace.bytes)];
  const parts = { version: '0.0.0', input, health: trace.health };
  const replayed = replayTrace(trace, { hardware: hardwareProfile('qemu-vtd', trace.header) });
  const nothing = { pages: { covered: 0, remapped: 0, open: 0 }, ns: { p50: 0, p95: 0, p99: 0, max: 0 }, unmaps: 0 };
  const counts = Object.fromEntries(
    ['wasted', 'redundant', 'overWide', 'overWideBytes', 'domainWide', 'collateral'].map((name) => [name, 0]),
  );
  const safety = {
    ...counts,
    hardware: HOSTILE,
    events: trace.eventCount,
    durationNs: 1,
    exposure: null,
    deviceExposure: null,
    stale: null,
    unflushed: nothing,
    unflushedDevices: null,
    commands: { iotlb: 1, deviceTlb: 0, waits: 0 },
    deviceTlbPerIotlb: null,
    findingsByKind: { stale: 1 },
    findings: [{ event: 3210, kind: 'stale', unmap: 3202, ageNs: 5, what: HOSTILE }],
    caveats: [HOSTILE],
  };
  return [['replay', replayed] as const, ['analyze safety', safety] as const].map(([command, result], i) => {
    const path = join(folder, `${i}.json`);
    writeFileSync(path, toJson(makeEnvelope(command, { ...parts, result })));
    return path;
  });
}

beforeAll(async () => {
  const file = join(folder, 'run<script>.iorr');
  writeSmallTrace(file, SEGMENTS, HOSTILE);
  trace = openTrace(file);
  const overview = new TraceOverview(trace);
  Array.from(overview.read());
  const documents = writeResults(file).map((path) => readResultDocument(path));
  const page = viewPage(file, trace, overview, documents, '0.0.0');
  view = await serveView({ ...page, data: viewData(trace, overview) }, { host: '127.0.0.1', port: 0 });
  browser = await launchBrowser();
  context = await browser.newContext();
});

afterAll(async () => {
  await browser?.close();
  await view?.close();
  trace?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function opened(hash: string, use: (page: Page, watched: Watched) => Promise<void>): Promise<void> {
  const page = await context.newPage();
  await page.setViewportSize({ width: 1280, height: 900 });
  const watched = watch(page);
  await page.goto(`${view.url}${hash}`);
  await page.waitForSelector('html[data-ready]');
  try {
    await use(page, watched);
  } finally {
    await page.close();
  }
}

/** Numbers of the rows that are elements. */
function shownRows(page: Page): Promise<readonly number[]> {
  return page
    .locator('.event-rows .event-row a')
    .evaluateAll((links) => links.map((link) => Number(link.getAttribute('href')?.slice('#event='.length))));
}

async function zoomed(page: Page, act: () => Promise<void>): Promise<URLSearchParams> {
  const asked = page.waitForRequest((request) => request.url().includes('/window?'));
  await act();
  const request = await asked;
  await (await request.response())?.finished();
  await page.waitForFunction(() => document.querySelector('#explorer')?.getAttribute('data-decoded') !== null);
  return new URL(request.url()).searchParams;
}

describe('a view of a trace', () => {
  test('draws events by stream and addresses, and asks nobody but its own server', async () => {
    await opened('', async (page, { noise, requests }) => {
      for (const row of ['row-0', 'row-1', 'row-2', 'row-3']) {
        expect([row, (await pixelsOf(page, '#view-events', row)) > 100]).toEqual([row, true]);
      }
      expect(await pixelsOf(page, '#view-addresses', 'row-0')).toBeGreaterThan(500);
      expect(await page.locator('#view-events ~ .legend .name').allTextContents()).toEqual([
        'map',
        'unmap',
        'dma',
        'mark',
      ]);
      expect(requests.filter((url) => !url.startsWith(view.url))).toEqual([]);
      expect(noise).toEqual([]);
    });
  });

  test('an answer that comes during a drag waits for its end', async () => {
    await opened('', async (page, { noise }) => {
      let answer = (): void => {};
      const held = new Promise<void>((resolve) => {
        answer = resolve;
      });
      await page.route('**/window?*', async (route) => {
        await held;
        await route.continue();
      });
      const asked = page.waitForRequest((request) => request.url().includes('/window?'));
      await dragOver(page, '#view-events', 0.2, 0.8);
      const slow = await asked;
      const canvas = page.locator('#view-events canvas');
      await canvas.evaluate((element) => element.setAttribute('data-before', ''));
      const box = await page.locator('#view-events .u-over').boundingBox();
      if (box === null) throw new Error('the chart has no place');
      const y = box.y + box.height / 2;
      await page.mouse.move(box.x + box.width * 0.5, y);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.6, y, { steps: 3 });
      answer();
      await (await slow.response())?.finished();
      // long enough for an answer that does not wait
      await page.waitForTimeout(100);
      await page.mouse.move(box.x + box.width * 0.75, y, { steps: 3 });
      expect(await canvas.getAttribute('data-before')).toBe('');
      const next = page.waitForRequest((request) => request.url().includes('/window?'));
      await page.mouse.up();
      const { searchParams } = new URL((await next).url());
      const whole = SEGMENTS * SEGMENT * STEP_NS;
      // half to three quarters of what lies between 0.2 and 0.8
      expect(Number(searchParams.get('from')) / whole).toBeCloseTo(0.5, 1);
      expect(Number(searchParams.get('to')) / whole).toBeCloseTo(0.65, 1);
      await page.waitForFunction(
        () => document.querySelector('#view-events canvas')?.getAttribute('data-before') === null,
      );
      expect(noise).toEqual([]);
    });
  });

  test('a zoom reads the blocks of its window alone, and every chart over the time of the trace follows', async () => {
    await opened('', async (page, { noise }) => {
      await page.locator('#view-events').focus();
      const asked = await zoomed(page, () => dragOver(page, '#view-events', 0.5, 0.55));
      const [from, to] = [Number(asked.get('from')), Number(asked.get('to'))];
      const whole = SEGMENTS * SEGMENT * STEP_NS;
      expect(from / whole).toBeCloseTo(0.5, 1);
      expect((to - from) / whole).toBeCloseTo(0.05, 1);
      const [begin, end] = [Math.ceil(from / STEP_NS), Math.floor(to / STEP_NS)];
      const touched = Math.floor(end / SEGMENT) - Math.floor(begin / SEGMENT) + 1;
      expect(Number(await page.getAttribute('#explorer', 'data-decoded'))).toBe(touched);
      // both charts of the trace, and those of the replay of it
      const resets = page.locator('.tools button:visible', { hasText: 'Whole range' });
      expect(await resets.count()).toBe(await page.locator('.plot:has(canvas)').count());
      expect(await page.locator('article .plot:has(canvas)').count()).toBeGreaterThan(1);
      await expect.poll(async () => (await shownRows(page))[0]).toBe(begin);
      // a double click shows the whole again, without asking
      await page.locator('#view-addresses .u-over').dblclick();
      expect(await resets.count()).toBe(0);
      await page.waitForFunction(() => document.querySelector('.event-rows a')?.textContent === '0');
      const [least, most = 0] = ((await page.getAttribute('#explorer', 'data-window')) ?? '').split(' ').map(Number);
      expect([least, most / whole]).toEqual([0, expect.closeTo(1, 2)]);
      expect(noise).toEqual([]);
    });
  });

  test('a zoom in the chart of a result zooms the trace', async () => {
    await opened('', async (page) => {
      const asked = await zoomed(page, () => dragOver(page, 'article .plot[data-plot="commands"]', 0.2, 0.6));
      expect(Number(asked.get('to'))).toBeLessThan(SEGMENTS * SEGMENT * STEP_NS * 0.7);
      await expect.poll(async () => (await shownRows(page))[0] ?? 0).toBeGreaterThan(0);
    });
  });

  test('rows come as they are scrolled to, and only those in sight are there', async () => {
    await opened('', async (page) => {
      await page.waitForSelector('.event-rows .event-row');
      expect((await shownRows(page)).length).toBeLessThan(60);
      await page.locator('.event-rows').evaluate((rows) => rows.scrollTo(0, 24 * 3000));
      await page.waitForFunction(() => document.querySelector('.event-rows a[href="#event=3005"]') !== null);
      expect((await shownRows(page)).length).toBeLessThan(60);
      expect(await page.locator('.row-status').textContent()).toBe('Events 0 to 3\u202f999.');
    });
  });

  test('an address names an event: charts show its neighbours, the rows show it', async () => {
    await opened('#event=2222', async (page, { noise }) => {
      await page.waitForSelector('.event-row.marked');
      expect(await page.locator('.event-row.marked a').textContent()).toBe('2\u202f222');
      expect(await page.locator('.event-row.marked').isVisible()).toBe(true);
      const [from, to] = ((await page.getAttribute('#explorer', 'data-window')) ?? '').split(' ').map(Number);
      expect([from, to]).toEqual([1972 * STEP_NS, 2472 * STEP_NS]);
      expect(noise).toEqual([]);
    });
  });

  test('a finding leads to its event, and a number that is typed to another', async () => {
    await opened('', async (page) => {
      await page.locator('article a.event', { hasText: '3\u202f210' }).click();
      await page.waitForSelector('.event-row.marked');
      expect(await page.locator('.event-row.marked a').textContent()).toBe('3\u202f210');
      await page.locator('#explorer input').fill('17');
      await page.keyboard.press('Enter');
      await page.waitForFunction(() => document.querySelector('.event-row.marked a')?.textContent === '17');
      await page.locator('#explorer input').fill('999999');
      await page.keyboard.press('Enter');
      await page.waitForFunction(() =>
        (document.querySelector('.window-status')?.textContent ?? '').includes('no event'),
      );
    });
  });

  test('hostile text is text', async () => {
    await opened('#event=5', async (page, { noise, requests }) => {
      await page.waitForSelector('.event-row.marked');
      expect(await page.locator('.event-row.marked').textContent()).toContain('<script>alert(2)</script>');
      expect(await page.locator('h1').textContent()).toContain('run<script>.iorr');
      expect(await page.locator('img, iframe, object, embed, link').count()).toBe(0);
      expect(await page.locator('script:not([type])').count()).toBe(1);
      expect(await page.locator('.care').last().textContent()).toContain('<img src=x onerror=alert(1)>');
      expect(noise).toEqual([]);
      expect(requests.filter((url) => !url.startsWith(view.url))).toEqual([]);
    });
  });

  test('follows the dark of the system, charts and rows too', async () => {
    await opened('#event=100', async (page, { noise }) => {
      await page.waitForSelector('.event-row.marked');
      const back = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await back();
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await back()).not.toBe(light);
      expect(await pixelsOf(page, '#view-events', 'row-0')).toBeGreaterThan(50);
      expect(await pixelsOf(page, '#view-addresses', 'row-0')).toBeGreaterThan(50);
      expect(noise).toEqual([]);
    });
  });

  test('says so when its server is gone', async () => {
    const own = await serveView(
      { ...viewPage('run.iorr', trace, new TraceOverview(trace), [], '0.0.0'), data: {} },
      { host: '127.0.0.1', port: 0 },
    );
    const page = await context.newPage();
    await page.goto(own.url);
    await page.waitForSelector('html[data-ready]');
    expect(await page.locator('.window-status').textContent()).toContain('does not answer');
    await page.close();
    await own.close();
  });
});
