import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { root } from './files.ts';

interface Count {
  readonly countTests: (report: unknown, ok: boolean) => { passed: number; failed: number };
}

const { countTests } = (await import(pathToFileURL(join(root, '.ci/count.mjs')).href)) as Count;

const file = (status: string, ...tests: readonly string[]) => ({
  status,
  assertionResults: tests.map((test) => ({ status: test })),
});

describe('the last line of npm test', () => {
  test('counts tests as vitest does', () => {
    const testResults = [file('passed', 'passed', 'passed'), file('failed', 'passed', 'failed', 'failed')];
    expect(countTests({ numPassedTests: 3, numFailedTests: 2, testResults }, false)).toEqual({ passed: 3, failed: 2 });
    expect(countTests({ numPassedTests: 2, numFailedTests: 0, testResults: [testResults[0]] }, true)).toEqual({
      passed: 2,
      failed: 0,
    });
  });

  test('counts a file that could not be loaded as one failure', () => {
    const testResults = [file('passed', 'passed'), file('failed')];
    expect(countTests({ numPassedTests: 1, numFailedTests: 0, testResults }, false)).toEqual({ passed: 1, failed: 1 });
  });

  test('counts a run that failed without a failed test as one failure', () => {
    const testResults = [file('passed', 'passed')];
    expect(countTests({ numPassedTests: 1, numFailedTests: 0, testResults }, false)).toEqual({ passed: 1, failed: 1 });
    expect(countTests(undefined, false)).toEqual({ passed: 0, failed: 1 });
  });
});
