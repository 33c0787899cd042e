// What a run of vitest amounts to, from its JSON report and its exit code.

/**
 * Tests that passed and failed. A file that failed without a failed test (it could not be loaded) counts as one failure,
 * and so does a run that failed without either: an unhandled rejection, a crashed worker, no report at all.
 *
 * @param {{ numPassedTests: number, numFailedTests: number, testResults: { status: string, assertionResults: { status: string }[] }[] } | undefined} report
 * @param {boolean} ok whether vitest exited with 0
 * @returns {{ passed: number, failed: number }}
 */
export function countTests(report, ok) {
  const {
    numPassedTests: passed,
    numFailedTests,
    testResults,
  } = report ?? {
    numPassedTests: 0,
    numFailedTests: 0,
    testResults: [],
  };
  const unloaded = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = numFailedTests + unloaded.length;
  return { passed, failed: failed === 0 && !ok ? 1 : failed };
}
