import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

// In a process of its own: the runtime writes to standard error when a provider's library is missing.
const PROGRAM = `
import { float32, GraphBuilder } from '@faultline/onnx';
import { Session, toOrt } from './index.ts';
const g = new GraphBuilder();
g.output(g.plus(g.input('x', [1]), g.scalar(1)), [1], 'float32', 'y');
try {
  await using session = await Session.create(g.model(), { executionProvider: 'cuda' });
  const { y } = await session.run({ x: toOrt(float32([2])) });
  console.log(y.data.join());
} catch (error) {
  console.log(error.name + ': ' + error.message);
}`;

test('a provider computes what was asked, or its absence is an error that names it: never another one in silence', () => {
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    encoding: 'utf8',
    cwd: import.meta.dirname,
  });
  assert.match(stdout, /^(3|ExecutionProviderError: .*'cuda' is not available.*choose 'cpu')\n$/);
});
