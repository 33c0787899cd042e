// Bundles the scripts of pages and their style sheet into modules that pages embed: client-bundle.generated.ts, and the one of
// `iorr view`. Run by the build before the compiler; the files are not kept in git. Same sources, same bytes.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const folder = import.meta.dirname;
const target = join(folder, 'client-bundle.generated.ts');
const viewTarget = join(folder, '..', 'view', 'view-bundle.generated.ts');

async function bundle(entry) {
  const { outputFiles } = await build({
    entryPoints: [join(folder, 'client', entry)],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: ['chrome120', 'firefox120', 'safari17.5'],
    charset: 'ascii',
    legalComments: 'none',
    logLevel: 'error',
  });
  return outputFiles[0].text.trim();
}

/** A TypeScript string literal on one line. */
function literal(text) {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Text of the generated module. */
export async function clientModule() {
  const uplot = dirname(createRequire(import.meta.url).resolve('uplot/package.json'));
  const { version } = JSON.parse(readFileSync(join(uplot, 'package.json'), 'utf8'));
  const licence = readFileSync(join(uplot, 'LICENSE'), 'utf8').trim();
  return [
    '// Made by build-client.mjs from client/; not to be edited.',
    `export const CLIENT_SCRIPT = ${literal(await bundle('main.ts'))};`,
    `export const CLIENT_STYLE = ${literal(await bundle('report.css'))};`,
    `export const UPLOT_VERSION = ${literal(version)};`,
    `export const UPLOT_LICENCE = ${literal(licence)};`,
    '',
  ].join('\n');
}

/** Text of the generated module of `iorr view`, whose script talks to its server. */
export async function viewModule() {
  return [
    '// Made by build-client.mjs from client/; not to be edited.',
    `export const VIEW_SCRIPT = ${literal(await bundle('../../view/client/main.ts'))};`,
    '',
  ].join('\n');
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(target, await clientModule());
  writeFileSync(viewTarget, await viewModule());
}
