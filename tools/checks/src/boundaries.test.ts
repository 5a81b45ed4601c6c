import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundaryViolations, type PackageNode } from './boundaries.ts';
import { RULES } from './boundary-rules.ts';
import { specifiersOf } from './read-workspace.ts';

function node(type: string, name: string, over: Partial<PackageNode> = {}): PackageNode {
  const tags = [`type:${type}`, `name:${name}`];
  return { name: `@x/${name}`, tags, dependencies: [], devDependencies: [], exports: ['.'], sources: [], ...over };
}

/** Violations of a graph in which the first package depends on the second. */
function violationsOf(from: PackageNode, to: PackageNode): string[] {
  return boundaryViolations([from, to], [{ from: from.name, to: to.name }], RULES);
}

test('a graph within the rules has no violation', () => {
  const score = node('service', 'score', { dependencies: ['@x/metrics'] });
  assert.deepEqual(violationsOf(score, node('lib', 'metrics')), []);
});

for (const [from, to, expected] of [
  [node('service', 'score'), node('service', 'attack'), /a service must not depend on a service/],
  [node('lib', 'metrics'), node('service', 'score'), /a lib must not depend on a service/],
  [node('lib', 'metrics'), node('tool', 'cli'), /a lib must not depend on a tool/],
  [node('tool', 'cli'), node('service', 'score'), /a tool must not depend on a service/],
  [node('lib', 'autodiff'), node('lib', 'ort'), /may depend on onnx alone/],
  [
    node('lib', 'attack-algorithms'),
    node('lib', 'victim-local'),
    /may depend on contracts, metrics, onnx, victim alone/,
  ],
  [node('lib', 'onnx'), node('lib', 'contracts'), /may depend on nothing alone/],
  [node('service', 'inference'), node('lib', 'training'), /no service may depend on it/],
] as const) {
  test(`${from.name} must not depend on ${to.name}`, () => {
    const [violation, ...others] = violationsOf({ ...from, dependencies: [to.name] }, to);
    assert.match(violation ?? '', expected);
    assert.deepEqual(others, []);
  });
}

test('tests may depend on more, but not across types', () => {
  const autodiff = node('lib', 'autodiff', { devDependencies: ['@x/ort', '@x/score'] });
  assert.deepEqual(violationsOf(autodiff, node('lib', 'ort')), []);
  assert.equal(violationsOf(autodiff, node('service', 'score')).length, 1);
});

test('a package without its tags is named', () => {
  const [violation] = boundaryViolations([node('lib', 'x', { tags: ['name:x'] })], [], RULES);
  assert.match(violation ?? '', /@x\/x: tag type:/);
});

test('undeclared, deep and escaping imports are named with their file', () => {
  const source = {
    file: 'libs/a/src/a.ts',
    test: false,
    imports: ['@x/b', '@x/b/src/inner.ts', '@x/c', 'zod'],
    escaping: ['../../b/src/index.ts'],
  };
  const a = node('lib', 'a', { dependencies: ['@x/b'], devDependencies: ['@x/c'], sources: [source] });
  const found = boundaryViolations([a, node('lib', 'b'), node('lib', 'c')], [], RULES);
  assert.equal(found.length, 4);
  assert.match(found[0] ?? '', /leaves the package/);
  assert.match(found[1] ?? '', /'@x\/b\/src\/inner\.ts' reaches into @x\/b/);
  assert.match(found[2] ?? '', /imports '@x\/c', which @x\/a does not name under dependencies/);
  assert.match(found[3] ?? '', /imports 'zod'/);
});

test('specifiers are those of imports and exports, not of text', () => {
  const text = [
    "import a from 'a';",
    'import {\n  b,\n  type C,\n} from "@x/b";',
    "import 'c';",
    "export * from './d.ts';",
    `const e = await ${'import'}('e');`,
    `const text = 'a sentence imported from "nowhere"';`,
  ].join('\n');
  assert.deepEqual(specifiersOf(text).sort(), ['./d.ts', '@x/b', 'a', 'c', 'e']);
});
