import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IorrError } from '../../../traces/errors.ts';
import { toJson } from '../../../traces/plain-json.ts';
import { HOSTILE, hostile } from '../fixtures/hostile.ts';
import { troubleWith } from '../fixtures/inert-page.ts';
import { RESULT_KINDS } from './result-kinds.ts';
import { parseResultDocument } from './result-document.ts';
import { severalPage } from './several-page.ts';

type Plain = { [name: string]: unknown };

/** A result of every kind, as its command printed it of a trace of the corpus. */
const RESULTS = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/results.json'), 'utf8'),
) as readonly Plain[];

function read(document: unknown): ReturnType<typeof parseResultDocument> {
  return parseResultDocument(typeof document === 'string' ? document : toJson(document as object), 'result.json');
}

function refusal(document: unknown): IorrError {
  try {
    read(document);
  } catch (error) {
    if (error instanceof IorrError) return error;
    throw error;
  }
  throw new Error('not refused');
}

describe('results of all kinds', () => {
  test('have a fixture each', () => {
    const kinds = RESULTS.map((document) => read(document).order);
    expect([...new Set(kinds)].sort((a, b) => a - b)).toEqual(RESULT_KINDS.map((_, i) => i));
  });

  test.each(RESULTS.map((document) => [String(document['command']), document] as const))(
    '%s: alone on a page that is self-contained, inert and well-formed',
    (_, document) => {
      expect(troubleWith(severalPage([read(document)], '0.0.0'))).toEqual([]);
      expect(troubleWith(severalPage([read(hostile(document))], '0.0.0'))).toEqual([]);
    },
  );

  test('stand on one page in the order of their kinds, each with its own ids', () => {
    const page = severalPage(RESULTS.map((document) => read(document)).reverse(), '0.0.0');
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const targets = [...page.matchAll(/ href="#([^"=]+)"/g)].map(([, id]) => id);
    expect(targets.filter((id) => !ids.includes(id))).toEqual([]);
    const order = [...page.matchAll(/<article id="r\d+" aria-label="([^"]+)"/g)].map(([, command]) => command);
    expect(order).toEqual(
      RESULT_KINDS.map(
        (kind) => read(RESULTS.find((one) => read(one).order === RESULT_KINDS.indexOf(kind))).chapter.command,
      ),
    );
  });

  test('an event is a way to it, and a command that shows it', () => {
    const safety = RESULTS.find(({ command }) => command === 'analyze safety') as { result: Plain };
    const findings = [{ event: 1234, kind: 'missing', unmap: 1200, ageNs: 5000, what: 'no command' }];
    const input = [{ ...(safety as unknown as { input: Plain[] }).input[0], file: "my trace's.iorr" }];
    const page = severalPage([read({ ...safety, input, result: { ...safety.result, findings } })], '0.0.0');
    expect(page).toContain('<a class="event" href="#event=1234">1\u202f234</a>');
    expect(page).toContain('<a class="event" href="#event=1200">');
    expect(page).toContain('iorr cat &#39;my trace&#39;\\&#39;&#39;s.iorr&#39; --from-event 1234 --limit 20');
  });
});

describe('what is no result', () => {
  const [some = {}] = RESULTS;
  test.each([
    ['{"a": ', 'no JSON'],
    ['[1, 2]', 'other JSON'],
    ['null', 'other JSON'],
    [{ ...some, schemaVersion: 2 }, 'a result of schema version 1 expected, found 2'],
    [{ ...some, schemaVersion: undefined }, 'schema version 1 expected, found none'],
    [{ ...some, command: 'info' }, 'no page shows a result of "info"'],
    [{ ...some, result: null }, 'result: an object expected, found null'],
    [{ ...some, health: { lost: 1 } }, 'document.health.malformed: a number expected, found nothing'],
    [{ ...some, input: [{ file: 3 }] }, 'document.input[0].file: a text expected, found number 3'],
  ])('%#: is refused, with the place', (document, message) => {
    const error = refusal(document);
    expect(error.code).toBe('FORMAT_UNKNOWN');
    expect(error.message).toContain(message);
    expect(error.hint).not.toBe('');
  });

  test('a result of a newer iorr says so', () => {
    expect(refusal({ ...some, schemaVersion: 7 }).hint).toBe('a newer iorr wrote it: use that one');
  });

  test('any damage is refused or shown, and never breaks a page', () => {
    const junk = fc.constantFrom(null, -1, 0.5, 1e308, '', HOSTILE, [], {}, [[null]], { a: [1] }, true, undefined);
    fc.assert(
      fc.property(fc.nat(RESULTS.length - 1), fc.infiniteStream(fc.nat(1000)), junk, (which, turns, value) => {
        const document = structuredClone(RESULTS[which]) as Plain;
        let at = document;
        let key: string | number = 'result';
        for (const turn of turns) {
          const inner: unknown = at[key];
          if (typeof inner !== 'object' || inner === null || Object.keys(inner).length === 0) break;
          at = inner as Plain;
          const keys: readonly string[] = Object.keys(inner);
          key = keys[turn % keys.length] ?? '';
          if (turn % 7 === 0) break;
        }
        at[key] = value;
        try {
          const page = severalPage([read(JSON.stringify(document))], '0.0.0');
          expect(page.includes('<script>alert')).toBe(false);
        } catch (error) {
          if (!(error instanceof IorrError)) throw error;
        }
      }),
      { numRuns: 400, seed: 7 },
    );
  });
});
