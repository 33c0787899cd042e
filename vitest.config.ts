import { defineConfig } from 'vitest/config';

/** Checks of whole captures run only on request: they take minutes and need the captures. */
const full = process.env['IORR_FULL'] === '1';

export default defineConfig({
  test: {
    include: ['{traces,recorder,replay,analyzers,bench,.ci}/**/*.test.ts', '*.test.ts'],
    setupFiles: ['.ci/property-seed.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    env: { LC_ALL: 'C', TZ: 'UTC', NO_COLOR: '1' },
    // Processes, not threads: a test that runs out of memory takes only its own file down.
    pool: 'forks',
    // Full figures include timings and sizes of memory: one file at a time, so that they don't disturb each other.
    maxWorkers: full ? 1 : 2,
    testTimeout: full ? 3_600_000 : 120_000,
    hookTimeout: full ? 900_000 : 120_000,
    // Fixtures that no test reads any more, and tests that assert nothing, are faults.
    passWithNoTests: false,
    expect: { requireAssertions: true },
  },
});
