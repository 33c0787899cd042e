import type * as duckdb from '@duckdb/node-api';
import { IorrError } from '../../traces/errors.ts';

export type DuckDb = typeof duckdb;

/** DuckDB is large, and asked for by its own command alone: loaded if it is there. Throws `PACKAGE_MISSING`. */
export async function loadDuckDb(load: () => Promise<DuckDb> = () => import('@duckdb/node-api')): Promise<DuckDb> {
  try {
    return await load();
  } catch (error) {
    throw new IorrError('PACKAGE_MISSING', 'SQL needs the package @duckdb/node-api (70 MB), which is not there', {
      hint: 'npm install @duckdb/node-api beside iorr; or iorr export --to parquet, and any DuckDB',
      cause: error,
    });
  }
}
