import type { BoundaryRules } from './boundary-rules.ts';

/** A package of the workspace, as far as its imports go. */
export interface PackageNode {
  /** Name of the package, "@faultline/onnx". */
  readonly name: string;
  readonly tags: readonly string[];
  /** Packages under `dependencies` and the like, and those under `devDependencies`. */
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
  /** Entry points, "." or "./testing". */
  readonly exports: readonly string[];
  readonly sources: readonly SourceImports[];
}

export interface SourceImports {
  /** Path from the root of the workspace. */
  readonly file: string;
  /** True for tests and what only they import: these may use development dependencies. */
  readonly test: boolean;
  /** Module specifiers, without Node's own. */
  readonly imports: readonly string[];
  /** Relative imports that leave the package. */
  readonly escaping: readonly string[];
}

/** An edge of the project graph. */
export interface Edge {
  readonly from: string;
  readonly to: string;
}

/** Everything that breaks the rules, one line each; empty when all is well. */
export function boundaryViolations(
  packages: readonly PackageNode[],
  edges: readonly Edge[],
  rules: BoundaryRules,
): string[] {
  const byName = new Map(packages.map((node) => [node.name, node]));
  return [
    ...packages.flatMap((node) => untagged(node, rules)),
    ...edges.flatMap(({ from, to }) => forbiddenEdge(byName.get(from), byName.get(to), rules)),
    ...packages.flatMap((node) => node.sources.flatMap((source) => sourceViolations(node, source, byName))),
  ];
}

const tag = (node: PackageNode, prefix: 'type' | 'name'): string =>
  node.tags.find((entry) => entry.startsWith(`${prefix}:`))?.slice(prefix.length + 1) ?? '';

function untagged(node: PackageNode, rules: BoundaryRules): string[] {
  const type = tag(node, 'type');
  if (rules.byType[type] === undefined) {
    return [`${node.name}: tag type:${type} is not one of ${Object.keys(rules.byType).join(', ')}`];
  }
  return tag(node, 'name') === '' ? [`${node.name}: has no tag name:...`] : [];
}

function forbiddenEdge(from: PackageNode | undefined, to: PackageNode | undefined, rules: BoundaryRules): string[] {
  if (from === undefined || to === undefined || from === to) return [];
  const [fromType, toType] = [tag(from, 'type'), tag(to, 'type')];
  if (!(rules.byType[fromType] ?? []).includes(toType)) {
    return [`${from.name} -> ${to.name}: a ${fromType} must not depend on a ${toType}`];
  }
  // Tests may put the real parts together; the other rules are about what ships.
  if (!from.dependencies.includes(to.name) && from.devDependencies.includes(to.name)) return [];
  const only = rules.only[tag(from, 'name')];
  if (only !== undefined && !only.includes(tag(to, 'name'))) {
    return [`${from.name} -> ${to.name}: it may depend on ${only.join(', ') || 'nothing'} alone`];
  }
  if (rules.never[fromType]?.includes(tag(to, 'name'))) {
    return [`${from.name} -> ${to.name}: no ${fromType} may depend on it`];
  }
  return [];
}

function sourceViolations(
  node: PackageNode,
  { file, test, imports, escaping }: SourceImports,
  byName: ReadonlyMap<string, PackageNode>,
): string[] {
  const declared = new Set([node.name, ...node.dependencies, ...(test ? node.devDependencies : [])]);
  const where = test ? 'dependencies or devDependencies' : 'dependencies';
  return [
    ...escaping.map((specifier) => `${file}: '${specifier}' leaves the package; import the other package by its name`),
    ...imports.flatMap((specifier) => {
      const name = packageName(specifier);
      if (!declared.has(name)) return [`${file}: imports '${name}', which ${node.name} does not name under ${where}`];
      const entry = `.${specifier.slice(name.length)}`;
      const target = byName.get(name);
      if (target === undefined || target.exports.includes(entry)) return [];
      return [`${file}: '${specifier}' reaches into ${name}, which exports ${target.exports.join(', ') || 'nothing'}`];
    }),
  ];
}

/** "@scope/name" or "name" of a module specifier. */
function packageName(specifier: string): string {
  const [first = '', second] = specifier.split('/');
  return first.startsWith('@') && second !== undefined ? `${first}/${second}` : first;
}
