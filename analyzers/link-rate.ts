import { IorrError } from '../traces/errors.ts';

const BITS: { readonly [prefix: string]: number } = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const BYTES: { readonly [prefix: string]: number } = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Bytes a second of `10Gbit`, `125MB` or `24MiB`, the first two of 1,000. Throws USAGE otherwise. */
export function parseLink(text: string, option: string): number {
  // 2.5Gbit, 100MB, 24MiB: number, prefix, i of 1,024, bit or B, perhaps /s
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)(i?)(bit|b)(?:\/s|ps)?$/i.exec(text);
  const [, number = '', prefix = '', binary = '', unit = ''] = match ?? [];
  const factor = (binary === '' ? BITS : BYTES)[prefix.toLowerCase()] ?? 1;
  const rate = (Number(number) * factor) / (unit.toLowerCase() === 'bit' ? 8 : 1);
  if (match !== null && rate > 0 && rate <= 1e15) return rate;
  throw new IorrError('USAGE', `${option}: a rate such as 10Gbit or 125MB expected, found ${JSON.stringify(text)}`, {
    hint: `for example ${option} 25Gbit; a B is a byte a second, a bit an eighth of it`,
  });
}

/** Bytes of `1TiB`, `64G`, `512M`; prefixes are of 1,024. Throws USAGE otherwise. */
export function parseBytes(text: string, option: string): number {
  // 64GiB: number, prefix
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$/i.exec(text);
  const [, number = '', prefix = ''] = match ?? [];
  const bytes = Number(number) * (BYTES[prefix.toLowerCase()] ?? 1);
  if (match !== null && bytes >= 4096 && bytes <= 2 ** 47) return Math.ceil(bytes / 4096) * 4096;
  throw new IorrError(
    'USAGE',
    `${option}: an amount of memory such as 64GiB or 1TiB expected, found ${JSON.stringify(text)}`,
    {
      hint: 'from 4KiB to 128TiB',
    },
  );
}

/** Different numbers of `1,2,4`, in that order. Throws USAGE otherwise. */
export function parseThreads(text: string, option: string): readonly number[] {
  const counts = [...new Set(text.split(',').map((part) => (/^\d{1,4}$/.test(part.trim()) ? Number(part) : 0)))];
  if (counts.length <= 16 && counts.every((count) => count >= 1 && count <= 1024)) return counts;
  throw new IorrError('USAGE', `${option} ${text}: numbers of threads from 1 to 1024 expected`, {
    hint: `for example ${option} 1,2,4`,
  });
}
