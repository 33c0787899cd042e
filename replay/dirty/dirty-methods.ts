import { IorrError } from '../../traces/errors.ts';
import { nearest } from '../../traces/nearest.ts';
import type { DirtyMethodFactory } from './dirty-method.ts';
import type { HarvestTables } from './harvest-tables.ts';
import { adBits } from './methods/ad-bits.ts';
import { kvmRing } from './methods/kvm-ring.ts';
import { priLog } from './methods/pri-log.ts';
import { splitOnDirty } from './methods/split-on-dirty.ts';
import { splitOnStart } from './methods/split-on-start.ts';
import { writeProtect } from './methods/write-protect.ts';

/** Every method, by file. A new one is its file and a line here. */
export const DIRTY_METHODS: readonly DirtyMethodFactory[] = [
  adBits,
  splitOnStart,
  splitOnDirty,
  writeProtect,
  kvmRing,
  priLog,
];

/** A row of a comparison: a method with its value. */
export interface NamedMethod {
  /** As it was asked for, with the default value where none was given: `ad-bits@4k`. */
  readonly name: string;
  readonly method: DirtyMethodFactory;
  readonly value: number;
}

/** The methods of `a,b@2m,c`, each once. Throws `USAGE` for names, values or tables that can't be. */
export function dirtyMethods(text: string, tables: HarvestTables): readonly NamedMethod[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))].filter((name) => name !== '');
  if (names.length === 0) {
    throw new IorrError('USAGE', '--dirty names no method', { hint: 'for example --dirty ad-bits@4k,ad-bits@2m' });
  }
  const rows = names.map((name) => namedMethod(name));
  for (const { name, method, value } of rows) {
    const trouble = method.impossible(value, tables);
    if (trouble === undefined) continue;
    throw new IorrError('USAGE', `--dirty ${name}: ${trouble}`, {
      hint: 'leave it out, or choose other tables with --tables (amd-v1 has every power of two, arm-16k and arm-64k theirs)',
    });
  }
  return rows.filter((row, i) => rows.findIndex((other) => other.name === row.name) === i);
}

function namedMethod(name: string): NamedMethod {
  // what stands behind the first @ is the value, whatever it holds
  const at = name.indexOf('@');
  const [base, given] = at < 0 ? [name, undefined] : [name.slice(0, at), name.slice(at + 1)];
  const method = DIRTY_METHODS.find((one) => one.name === base);
  if (method === undefined) {
    const known = DIRTY_METHODS.map((one) => one.name);
    const near = nearest(base, known);
    throw new IorrError('USAGE', `unknown method '${base}'; known: ${known.join(', ')}`, {
      hint: near === undefined ? 'iorr compare --help lists them' : `did you mean '${near}'?`,
    });
  }
  const { value } = method;
  if (value === undefined) {
    if (given === undefined) return { name: base, method, value: 0 };
    throw new IorrError('USAGE', `'${name}': ${base} takes no value`, { hint: `say ${base}` });
  }
  const text = given ?? value.default;
  const parsed = value.parse(text);
  if (parsed >= 0) return { name: `${base}@${text.toLowerCase()}`, method, value: parsed };
  throw new IorrError('USAGE', `'${name}': ${value.about} expected after the @`, {
    hint: `for example ${base}@${value.default} or ${base}@${value.example}`,
  });
}
