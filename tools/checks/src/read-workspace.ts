import { execFile } from 'node:child_process';
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Edge, PackageNode } from './boundaries.ts';

const graphFile = z.object({
  graph: z.object({
    nodes: z.record(
      z.string(),
      z.object({ data: z.object({ root: z.string(), tags: z.array(z.string()).default([]) }) }),
    ),
    dependencies: z.record(z.string(), z.array(z.object({ target: z.string() }))),
  }),
});

const names = z.record(z.string(), z.unknown()).default({});
const manifest = z.object({
  dependencies: names,
  optionalDependencies: names,
  peerDependencies: names,
  devDependencies: names,
  exports: names,
});

export interface Workspace {
  readonly packages: readonly PackageNode[];
  readonly edges: readonly Edge[];
}

/**
 * The packages of the workspace at `root`: edges from Nx's project graph, imports from the sources.
 * @throws Error when Nx cannot make its graph.
 */
export async function readWorkspace(root: string): Promise<Workspace> {
  const { nodes, dependencies } = await projectGraph(root);
  const packages = await Promise.all(
    Object.entries(nodes).map(([name, { data }]) => readPackage(root, name, data.root, data.tags)),
  );
  const edges = Object.entries(dependencies).flatMap(([from, targets]) =>
    targets.map(({ target }) => ({ from, to: target })),
  );
  return { packages, edges };
}

async function projectGraph(root: string): Promise<z.output<typeof graphFile>['graph']> {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-graph-'));
  try {
    const file = join(folder, 'graph.json');
    await promisify(execFile)(
      process.execPath,
      [join(root, 'node_modules/nx/dist/bin/nx.js'), 'graph', `--file=${file}`],
      {
        cwd: root,
      },
    );
    return graphFile.parse(JSON.parse(await readFile(file, 'utf8'))).graph;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readPackage(root: string, name: string, folder: string, tags: readonly string[]): Promise<PackageNode> {
  const packageRoot = join(root, folder);
  const read = await readManifest(packageRoot);
  const shared = await readManifest(root);
  const files: SourceFile[] = [];
  for await (const path of glob('**/*.{ts,js}', { cwd: packageRoot, exclude: ['**/node_modules/**', 'gen/**'] })) {
    files.push({ path, specifiers: specifiersOf(await readFile(join(packageRoot, path), 'utf8')) });
  }
  const tests = testFiles(files);
  return {
    name,
    tags,
    dependencies: [read.dependencies, read.optionalDependencies, read.peerDependencies].flatMap(Object.keys),
    // What the root names for development (the test tools) is there for every package.
    devDependencies: [read.devDependencies, shared.devDependencies].flatMap(Object.keys),
    exports: Object.keys(read.exports),
    sources: files.map(({ path, specifiers }) => ({
      file: join(folder, path),
      test: tests.has(path),
      imports: specifiers.filter((specifier) => !isRelative(specifier) && !isBuiltin(specifier)),
      escaping: specifiers.filter((specifier) => isRelative(specifier) && targetOf(path, specifier).startsWith('..')),
    })),
  };
}

async function readManifest(folder: string): Promise<z.output<typeof manifest>> {
  return manifest.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')));
}

interface SourceFile {
  /** From the package's folder. */
  readonly path: string;
  readonly specifiers: readonly string[];
}

/** `import ... from '...'`, `export ... from '...'`, `import '...'` and `import('...')`. */
const SPECIFIERS = [
  /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*(['"])([^'"\n]+)\1/gm,
  /^\s*import\s*(['"])([^'"\n]+)\1/gm,
  /\bimport\(\s*(['"])([^'"\n]+)\1\s*\)/g,
];

/** Module specifiers in a source text. */
export function specifiersOf(text: string): string[] {
  return SPECIFIERS.flatMap((pattern) => [...text.matchAll(pattern)].flatMap((match) => match[2] ?? []));
}

const isRelative = (specifier: string): boolean => specifier.startsWith('.');

/** Path of a relative import's target from the package's folder. */
const targetOf = (path: string, specifier: string): string => join(dirname(path), specifier);

const TEST_FILE = /\.(full-)?test\.ts$|(^|\/)test(-[^/]*|ing)?(\/|\.ts$)/;

/** Tests, what is named as theirs, and the files that only tests import: these may use development dependencies. */
function testFiles(files: readonly SourceFile[]): ReadonlySet<string> {
  const importers = new Map<string, string[]>();
  for (const { path, specifiers } of files) {
    for (const target of specifiers.filter(isRelative).map((specifier) => targetOf(path, specifier))) {
      importers.set(target, [...(importers.get(target) ?? []), path]);
    }
  }
  const tests = new Set(files.map(({ path }) => path).filter((path) => TEST_FILE.test(path)));
  for (let known = -1; known !== tests.size; ) {
    known = tests.size;
    for (const [path, from] of importers) if (from.every((importer) => tests.has(importer))) tests.add(path);
  }
  return tests;
}
