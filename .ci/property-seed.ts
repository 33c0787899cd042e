// Loaded by vitest before each test file: properties draw the same cases in every run, so that a run of the tests can be
// repeated. `IORR_SEED=N` draws others, `IORR_SEED=random` new ones in each file; a property that fails prints its seed.
import fc from 'fast-check';

const SEED = 20_261_122;

function seedOf(asked: string | undefined): number | undefined {
  if (asked === undefined || asked === '') return SEED;
  if (asked === 'random') return undefined;
  if (/^-?\d{1,10}$/.test(asked)) return Number(asked) | 0;
  throw new Error(`IORR_SEED: expected a whole number of 32 bits or "random", got ${JSON.stringify(asked)}`);
}

const seed = seedOf(process.env['IORR_SEED']);
if (seed !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
