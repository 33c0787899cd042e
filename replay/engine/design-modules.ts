import { IorrError } from '../../traces/errors.ts';
import type { DesignFactory } from '../designs/design.ts';
import { DESIGNS } from '../designs/designs.ts';
import { designBlocks } from './design-blocks.ts';
import type { UserDesign } from './design-blocks.ts';
import { GuardedDesign } from './guarded-design.ts';

/** An ES module with designs of the user's. Plain data: each worker imports it again. */
export interface DesignModule {
  readonly url: string;
  /** As the user named it, for messages. */
  readonly file: string;
}

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
  const found = [...new Set(Object.values(exported))].filter(isUserDesign);
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
    const why = error instanceof Error ? error.message : String(error);
    const missing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
    throw new IorrError('FILE_UNREADABLE', missing ? why : `it does not load: ${why}`, {
      place: { file },
      hint: 'a design is an ES module: a file that ends in .js or .mjs and uses import and export',
      cause: error,
    });
  }
}

function isUserDesign(value: unknown): value is UserDesign {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    typeof value.name === 'string' &&
    'create' in value &&
    typeof value.create === 'function'
  );
}

function factoryOf(module: DesignModule, design: UserDesign): DesignFactory {
  const { name, summary = '', promise = 'none', parameters = [] } = design;
  if (!NAME.test(name)) {
    throw failed(module, `'${name}' is no name for a design`, 'letters, digits and hyphens, as in two-level-queue');
  }
  for (const parameter of parameters) {
    if (parameter.name.startsWith(`${name}.`) && Number.isFinite(parameter.value)) continue;
    throw failed(
      module,
      `parameter '${parameter.name}' of design '${name}' is not ${name}.something with a number as its value`,
      `{ name: '${name}.size', value: 32, unit: 'unmaps', source: 'a guess', standing: 'assumed' }`,
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

function failed({ file }: DesignModule, message: string, hint: string): IorrError {
  return new IorrError('DESIGN_FAILED', message, { place: { file }, hint });
}
