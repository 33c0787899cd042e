import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { clientModule, viewModule } from './build-client.mjs';
import type { CompareReport } from './envelope.ts';
import { compareReport, emptyResult, hostileReport, tenDesigns, unknownResult } from './fixtures/results.ts';
import { htmlRenderer } from './html.ts';
import { html } from './markup.ts';
import { reproduceCommand } from './reproduce.ts';

function render(report: CompareReport): string {
  return htmlRenderer.render(report, { columns: 80, colour: false });
}

const PAGES: readonly (readonly [string, CompareReport])[] = [
  ['two designs', compareReport()],
  ['ten designs', compareReport(tenDesigns())],
  ['unknown accesses', compareReport(unknownResult())],
  ['nothing', compareReport(emptyResult())],
  ['hostile', hostileReport()],
];

test.each([
  ['client-bundle.generated.ts', clientModule],
  ['../view/view-bundle.generated.ts', viewModule],
])('the script of %s is the one of the sources (else: npm run build)', async (file, made) => {
  const kept = readFileSync(join(import.meta.dirname, file), 'utf8');
  expect(kept === (await made())).toBe(true);
});

describe.each(PAGES)('the page of %s', (_, report) => {
  const page = render(report);

  test('lets only its own script and style run, by their hashes', () => {
    const policy = /<meta http-equiv="Content-Security-Policy" content="([^"]+)">/.exec(page)?.[1] ?? '';
    expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.indexOf('<style>'));
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*|data:|blob:/);
    for (const [directive, tag] of [
      ['script-src', 'script'],
      ['style-src', 'style'],
    ]) {
      const inline = [...page.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'g'))].map(
        (match) => match[1] ?? '',
      );
      expect(inline.length).toBe(1);
      const hash = createHash('sha256')
        .update(inline[0] ?? '')
        .digest('base64');
      expect(policy).toContain(`${directive} 'sha256-${hash}'`);
    }
  });

  test('loads nothing and has no inline handler or style', () => {
    const body = page.replace(/<script>[\s\S]*?<\/script>|<style>[\s\S]*?<\/style>/g, '');
    const tags = body.match(/<[a-z][^>]*>/g) ?? [];
    expect(tags.length).toBeGreaterThan(100);
    const bare = tags.map((tag) => tag.replace(/"[^"]*"/g, '""'));
    const loading = /\s(?:src|srcset|data|action|formaction|ping|background|poster|style|on\w+)=/;
    expect(bare.filter((tag) => loading.test(tag))).toEqual([]);
    expect(tags.filter((tag) => /\shref=/.test(tag) && !/\shref="#/.test(tag))).toEqual([]);
    expect(tags.filter((tag) => /^<(?:img|iframe|object|embed|link|base|form)\b/.test(tag))).toEqual([]);
    expect(tags.filter((tag) => tag.startsWith('<script'))).toEqual([
      '<script type="application/json" id="iorr-data">',
    ]);
  });

  test('balances its elements', () => {
    const body = page.replace(/<(script|style)\b[\s\S]*?<\/\1>/g, '');
    const open: string[] = [];
    for (const [, close, name = '', selfClosed] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*?(\/?)>/g)) {
      if (selfClosed === '/' || name === 'meta') continue;
      if (close === '') open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });

  test('names what it rests on and how to get it again', () => {
    expect(page).toContain('What this rests on');
    for (const { standing } of report.result.parameters) expect(page).toContain(`class="standing ${standing}"`);
    expect(page).toContain(html`${reproduceCommand(report)}`.markup);
    expect(page).toContain('Permission is hereby granted');
    for (const kind of ['lost', 'truncated', 'malformed', 'unknown', 'ignored'])
      expect(page).toContain(` ${kind}</li>`);
  });

  test('is small enough to send', () => {
    expect(page.length).toBeLessThan(400_000);
  });
});

test('a figure that is unknown says so, and why', () => {
  const page = render(compareReport(unknownResult()));
  expect(page.match(/<b>Unknown<\/b>: the trace holds no accesses/g)?.length).toBe(3);
  expect(page).toContain('<span class="unknown">unknown</span>');
});

test('the command line to reproduce quotes what a shell would take apart', () => {
  const report: CompareReport = {
    ...compareReport(),
    input: [{ ...(compareReport().input[0] as CompareReport['input'][number]), file: "my trace's.iorr" }],
    options: {
      designs: ['linux-strict', 'linux-lazy'],
      cpuCores: 4,
      set: ['a=1', 'b=2'],
      strict: true,
      quiet: false,
      access: null,
    },
  };
  expect(reproduceCommand(report)).toBe(
    "iorr compare 'my trace'\\''s.iorr' --designs linux-strict,linux-lazy --cpu-cores 4 --set a=1 --set b=2 --strict",
  );
});
