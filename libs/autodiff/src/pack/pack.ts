import { execFile } from 'node:child_process';
import { cp, glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../../../..');

/** Packages that are packed, those first on which others depend. */
const PACKAGES = ['onnx', 'autodiff'] as const;

/** The oldest Node on which the packed code runs as it is. */
const ENGINES = { node: '>=20.19' };

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Compiles a package to JavaScript and declarations: sources import each other by '.ts', what is packed by '.js'. */
async function compile(from: string, to: string): Promise<void> {
  const config = path.join(to, 'tsconfig.json');
  const options = {
    extends: path.join(root, 'tsconfig.base.json'),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      rewriteRelativeImportExtensions: true,
      rootDir: from,
      outDir: path.join(to, 'dist'),
      typeRoots: [path.join(root, 'node_modules/@types')],
    },
    files: [path.join(from, 'src/index.ts')],
  };
  await writeFile(config, JSON.stringify(options));
  await run(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', config], { cwd: root });
  await rm(config);
  for await (const file of glob('**/*.d.ts', { cwd: path.join(to, 'dist') })) {
    const declarations = path.join(to, 'dist', file);
    const text = await readFile(declarations, 'utf8');
    await writeFile(declarations, text.replaceAll(/(from |import\()(['"])(\.[^'"]*)\.ts\2/g, '$1$2$3.js$2'));
  }
}

/**
 * Makes npm packages of libs/onnx and libs/autodiff that any Node runs, without a build step of their user's: `<out>/<name>`,
 * and `<out>/<name>.tgz` by `npm pack`. Returns the paths of the archives.
 */
export async function pack(out: string): Promise<string[]> {
  const archives: string[] = [];
  for (const name of PACKAGES) {
    const from = path.join(root, 'libs', name);
    const to = path.join(out, name);
    await rm(to, { recursive: true, force: true });
    await mkdir(to, { recursive: true });
    await compile(from, to);
    const manifest = JSON.parse(await readFile(path.join(from, 'package.json'), 'utf8')) as Manifest;
    const { version, license, dependencies = {} } = manifest;
    const entry = { types: './dist/src/index.d.ts', default: './dist/src/index.js' };
    const packed = {
      name: manifest.name,
      version,
      license,
      type: 'module',
      engines: ENGINES,
      exports: { '.': entry },
      files: ['dist'],
      dependencies,
    };
    await writeFile(path.join(to, 'package.json'), `${JSON.stringify(packed, undefined, 2)}\n`);
    await cp(path.join(from, 'README.md'), path.join(to, 'README.md'));
    await cp(path.join(root, 'LICENSE'), path.join(to, 'LICENSE'));
    const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', out], { cwd: to });
    archives.push(path.join(out, stdout.trim()));
  }
  return archives;
}

if (import.meta.main) {
  const out = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, '../../dist'));
  console.log((await pack(out)).join('\n'));
}
