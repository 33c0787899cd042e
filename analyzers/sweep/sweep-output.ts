import type { parquetWriteBuffer } from 'hyparquet-writer';
import { IorrError } from '../../traces/errors.ts';
import type { SweepReport } from './sweep.ts';

/** A row for each point, a column for each parameter and figure. Throws `USAGE` where the writer is not installed. */
export async function sweepParquet({ parameters, metrics, points }: SweepReport): Promise<Uint8Array> {
  const writer = await loadWriter();
  const columns = [
    { name: 'id', data: points.map(({ id }) => id), type: 'STRING' as const, nullable: false },
    ...parameters.map(({ name, values }) => {
      const numbers = values.every((value) => typeof value === 'number');
      return {
        name,
        data: points.map((point) => (numbers ? Number(point.values[name]) : String(point.values[name]))),
        type: numbers ? ('DOUBLE' as const) : ('STRING' as const),
        nullable: false,
      };
    }),
    ...metrics.map((name) => ({
      name,
      data: points.map((point) => point.metrics[name] ?? null),
      type: 'DOUBLE' as const,
      nullable: true,
    })),
  ];
  return new Uint8Array(writer.parquetWriteBuffer({ columnData: columns }));
}

async function loadWriter(): Promise<{ readonly parquetWriteBuffer: typeof parquetWriteBuffer }> {
  try {
    return await import('hyparquet-writer');
  } catch (error) {
    throw new IorrError('USAGE', 'Parquet needs the package hyparquet-writer, which is not there', {
      hint: 'npm install hyparquet-writer, or -o result.json',
      cause: error,
    });
  }
}
