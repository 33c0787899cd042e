import { IorrError } from '../../traces/errors.ts';
import type { DesignFactory, DesignParameter, DesignPromise } from '../designs/design.ts';
import { DESIGNS } from '../designs/designs.ts';
import type { Standing } from '../results.ts';
import { designBlocks } from './design-blocks.ts';
import type { UserDesign } from './design-blocks.ts';
import { GuardedDesign } from './guarded-design.ts';

/** An ES module with designs of the user's. Plain data: each worker imports it again. */
export interface DesignModule {
  readonly url: string;
  /** As the user named it, for messages. */
  readonly file: string;
}

const PROMISES: readonly DesignPromise[] = ['before-return', 'before-reuse', 'none'];
const PROMISE_HINT = `promise is one of ${PROMISES.join(', ')}`;
const STANDINGS: readonly Standing[] = ['measured', 'published', 'fitted', 'assumed'];
const PARAMETER_HINT = `{ name: 'mine.size', value: 32, unit: 'unmaps', source: 'a guess', standing: 'assumed' }`;
/** Characters of a reason: parsers quote whole lines. */
const MOST_REASON = 500;

/** Names go into lists with commas and before an @. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9-]*$/;

/** The built-in designs and those of modules. Throws `FILE_UNREADABLE` or `DESIGN_FAILED`, with the file and what to do. */
export async function loadDesigns(modules: readonly DesignModule[]): Promise<readonly DesignFactory[]> {
  const all: DesignFactory[] = [...DESIGNS];
  for (const module of modules) {
    for (const design of await designsOf(module)) {
      if (all.some(({ name }) => name === design.name)) {
        throw failed(module, `the name '${design.name}' is taken`, 'give the design another name');
      }
      all.push(design);
    }
  }
  return all;
}

/** What a module exports as designs: at least one. */
export async function designsOf(module: DesignModule): Promise<readonly DesignFactory[]> {
  const exported = await load(module);
  const found = [...new Set(Object.values(exported))].filter((value) => isUserDesign(module, value));
  if (found.length > 0) return found.map((design) => factoryOf(module, design));
  const names = Object.keys(exported);
  throw failed(
    module,
    `no export is a design (an object with a name and a function 'create'); it exports ${names.length === 0 ? 'nothing' : names.join(', ')}`,
    "export default { name: 'mine', create(emit, context, parameter, blocks) { ... } }; docs/designs.md has an example",
  );
}

async function load({ url, file }: DesignModule): Promise<{ readonly [name: string]: unknown }> {
  try {
    // a file of the user's: known at run time only
    return (await import(url)) as { readonly [name: string]: unknown };
  } catch (error) {
    const why = reasonOf(error);
    const missing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
    throw new IorrError('FILE_UNREADABLE', missing ? why : `it does not load: ${why}`, {
      place: { file },
      hint: 'a design is an ES module: a file that ends in .js or .mjs and uses import and export',
      cause: error,
    });
  }
}

function isUserDesign(module: DesignModule, value: unknown): value is UserDesign {
  try {
    return (
      typeof value === 'object' &&
      value !== null &&
      'name' in value &&
      typeof value.name === 'string' &&
      'create' in value &&
      typeof value.create === 'function'
    );
  } catch (error) {
    // a getter that throws
    throw failed(module, `an export can't be looked at: ${reasonOf(error)}`, 'export plain objects');
  }
}

function factoryOf(module: DesignModule, design: UserDesign): DesignFactory {
  const { name, summary = '', promise = 'none', parameters = [] } = design;
  if (!NAME.test(name)) {
    throw failed(module, `'${name}' is no name for a design`, 'letters, digits and hyphens, as in two-level-queue');
  }
  if (typeof summary !== 'string' || !PROMISES.includes(promise)) {
    throw failed(module, `design '${name}' has no text as its summary, or an unknown promise`, PROMISE_HINT);
  }
  if (!Array.isArray(parameters)) {
    throw failed(module, `'parameters' of design '${name}' is no list`, `parameters: [${PARAMETER_HINT}]`);
  }
  const seen = new Set<string>();
  for (const parameter of parameters) {
    if (isParameter(parameter, name) && !seen.has(parameter.name)) {
      seen.add(parameter.name);
      continue;
    }
    throw failed(
      module,
      `parameter ${shown(parameter)} of design '${name}' is not ${name}.something, once, with a number as its value, unit, source and standing`,
      PARAMETER_HINT.replace('mine', name),
    );
  }
  return {
    name,
    summary,
    promise,
    parameters,
    create: (emit, context, parameter) =>
      new GuardedDesign({ name, file: module.file }, emit, context, (guarded) =>
        design.create(guarded, context, parameter, designBlocks(guarded, context)),
      ),
  };
}

/** What the type says, of a value from outside. */
function isParameter(value: unknown, design: string): value is DesignParameter {
  if (typeof value !== 'object' || value === null) return false;
  const {
    name,
    value: number,
    unit,
    source,
    standing,
    range,
  } = value as Partial<Record<keyof DesignParameter, unknown>>;
  return (
    typeof name === 'string' &&
    name.startsWith(`${design}.`) &&
    Number.isFinite(number) &&
    typeof unit === 'string' &&
    typeof source === 'string' &&
    STANDINGS.some((known) => known === standing) &&
    (range === undefined || (Array.isArray(range) && range.length === 2 && range.every(Number.isFinite)))
  );
}

function shown(value: unknown): string {
  const name: unknown = typeof value === 'object' && value !== null && 'name' in value ? value.name : value;
  return typeof name === 'string' ? `'${name}'` : `of type ${typeof name}`;
}

/** Of whatever was thrown. */
export function reasonOf(error: unknown): string {
  try {
    const text = error instanceof Error ? error.message : String(error);
    return text.length > MOST_REASON ? `${text.slice(0, MOST_REASON)} ...` : text;
  } catch {
    return 'a value that is no text';
  }
}

function failed({ file }: DesignModule, message: string, hint: string): IorrError {
  return new IorrError('DESIGN_FAILED', message, { place: { file }, hint });
}
