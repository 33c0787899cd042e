// Joins the modules that each program of dist/ loads: a process or a worker then starts by reading a few files, not hundreds. The
// compiler's own output stays what packages import; of it only the programs themselves are replaced, by the same code in one piece.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { build } from 'esbuild';

/** Modules that a process or a worker starts with. */
function programsOf(dist) {
  const workers = readdirSync(dist, { recursive: true }).filter((path) => path.endsWith('-worker.js'));
  return ['cli.js', ...workers.sort()].map((path) => join(dist, path));
}

const PIECES = 'pieces';
/** Stands for the URL of dist/ until it is known in which folder of it a piece is written. */
const DIST_URL = '__DIST_URL__';

/** Modules see their own place as `import.meta`; joined, they still see that of the file that they came from. */
function keepPlaces(dist) {
  return {
    name: 'keep-places',
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        const place = `new URL(${JSON.stringify(relative(dist, path))}, ${DIST_URL})`;
        const file = `process.getBuiltinModule('node:url').fileURLToPath(${place})`;
        const contents = text
          .replaceAll('import.meta.url', `${place}.href`)
          .replaceAll('import.meta.filename', file)
          .replaceAll('import.meta.dirname', `process.getBuiltinModule('node:path').dirname(${file})`);
        return { contents, loader: 'js' };
      });
    },
  };
}

export async function bundlePrograms(dist) {
  const { outputFiles } = await build({
    entryPoints: programsOf(dist),
    outdir: dist,
    outbase: dist,
    chunkNames: `${PIECES}/[name]-[hash]`,
    bundle: true,
    splitting: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [keepPlaces(dist)],
    logLevel: 'error',
  });
  rmSync(join(dist, PIECES), { recursive: true, force: true });
  mkdirSync(join(dist, PIECES));
  for (const { path, text } of outputFiles) {
    const up = relative(dirname(path), dist);
    const here = `new URL(${JSON.stringify(up === '' ? './' : `${up}/`)}, import.meta.url)`;
    writeFileSync(path, text.replaceAll(DIST_URL, here));
  }
}
