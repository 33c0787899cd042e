// Joins the modules that each program of dist/ loads: a process or a worker then starts by reading a few files, not hundreds. The
// compiler's own output stays what packages import; of it only the programs themselves are replaced, by the same code in one piece.
// The client of Redis, a thousand files, is joined where it is installed, its licences with it.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { build } from 'esbuild';

/** Modules that a process or a worker starts with. */
function programsOf(dist) {
  const workers = readdirSync(dist, { recursive: true }).filter((path) => path.endsWith('-worker.js'));
  return ['cli.js', ...workers.sort((a, b) => (a < b ? -1 : 1))].map((path) => join(dist, path));
}

const PIECES = 'pieces';
/** Packages that are joined; others are found by Node. */
const JOINED = ['bullmq', 'ioredis'];
/** What they can do without. */
const NATIVE = 'msgpackr-extract';
/** Stands for the URL of dist/ until it is known in which folder of it a piece is written. */
const DIST_URL = '__DIST_URL__';

/** Modules see their own place as `import.meta`; joined, they still see that of the file that they came from. */
function keepPlaces(dist) {
  return {
    name: 'keep-places',
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/ }, async ({ path }) => {
        if (path.includes('/node_modules/')) return undefined;
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

/** The joined packages and all that they need are joined, other packages are not. */
function joinPackages(root) {
  return {
    name: 'join-packages',
    setup({ onResolve }) {
      // a name as in import 'ioredis', not ./file, /file or node:fs
      onResolve({ filter: /^[@a-z][^:]*$/ }, ({ path, importer }) => {
        const wanted = JOINED.includes(path) && existsSync(join(root, 'node_modules', path));
        const within = importer.includes('/node_modules/') && path !== NATIVE && !isBuiltin(path);
        return wanted || within ? undefined : { path, external: true };
      });
    },
  };
}

/** Licences of the packages whose files are among the inputs. */
function licencesOf(inputs) {
  const folders = inputs.flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
  return [...new Set(folders)].map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8').trim();
    return `${name} ${version}: ${license}\n\n${text}\n`;
  });
}

export async function bundlePrograms(dist) {
  const { outputFiles, metafile } = await build({
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
    metafile: true,
    // what the client requires of Node
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [keepPlaces(dist), joinPackages(join(dist, '..'))],
    logLevel: 'error',
  });
  rmSync(join(dist, PIECES), { recursive: true, force: true });
  mkdirSync(join(dist, PIECES));
  const licences = licencesOf(Object.keys(metafile.inputs).map((path) => resolve(path)));
  if (licences.length > 0) writeFileSync(join(dist, PIECES, 'LICENSES'), licences.join(`\n${'-'.repeat(80)}\n\n`));
  for (const { path, text } of outputFiles) {
    const up = relative(dirname(path), dist);
    const here = `new URL(${JSON.stringify(up === '' ? './' : `${up}/`)}, import.meta.url)`;
    writeFileSync(path, text.replaceAll(DIST_URL, here));
  }
}
