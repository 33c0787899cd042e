import { describe, expect, test } from 'vitest';
import { compareReport, hostileReport, replayReport, verifyReport } from './fixtures/results.ts';
import type { Report } from './envelope.ts';
import type { RenderOptions } from './renderer.ts';
import { RENDERERS, rendererNamed } from './renderers.ts';

const PLAIN: RenderOptions = { columns: 80, colour: false };
const REPORTS: readonly Report[] = [compareReport(), replayReport(), verifyReport()];

describe('the registry of renderers', () => {
  test('has unique names and endings', () => {
    expect(new Set(RENDERERS.map((renderer) => renderer.name)).size).toBe(RENDERERS.length);
    expect(new Set(RENDERERS.map((renderer) => renderer.extension)).size).toBe(RENDERERS.length);
  });

  test('finds by name, and names what there is', () => {
    for (const renderer of RENDERERS) expect(rendererNamed(renderer.name)).toBe(renderer);
    expect(() => rendererNamed('pdf')).toThrowError(
      expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('markdown') }),
    );
  });

  describe.each(RENDERERS.map((renderer) => [renderer.name, renderer] as const))('%s', (_, renderer) => {
    test('shows what it says that it shows and refuses the rest', () => {
      expect(renderer.does.length).toBeGreaterThan(10);
      for (const report of REPORTS) {
        if (renderer.commands.includes(report.command)) {
          expect(renderer.render(report, PLAIN)).toMatch(/\S\n$/);
        } else {
          expect(() => renderer.render(report, PLAIN)).toThrowError(expect.objectContaining({ code: 'USAGE' }));
        }
      }
      expect(renderer.commands).toContain('compare');
    });

    test('is the same text twice and leaves the result alone', () => {
      const report = compareReport();
      const before = JSON.stringify(report);
      expect(renderer.render(report, PLAIN)).toBe(renderer.render(report, PLAIN));
      expect(JSON.stringify(report)).toBe(before);
    });

    test('lets no escape sequence out of a trace', () => {
      expect(renderer.render(hostileReport(), PLAIN)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    });
  });
});
