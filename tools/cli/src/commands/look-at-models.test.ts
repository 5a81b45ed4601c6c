import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encodeModel, GraphBuilder, int } from '@faultline/onnx';
import { WORKSPACE } from '../workspace.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-look-'));
  const save = async (name: string, build: (b: GraphBuilder, x: string) => string) => {
    const b = new GraphBuilder();
    b.output(build(b, b.input('sound', ['batch', 200])), undefined, 'unknown', 'scores');
    await writeFile(join(folder, `${name}.onnx`), encodeModel(b.model()));
  };
  await save('smooth', (b, x) => b.op('Sigmoid', [b.reduceMean(x, [1])]));
  await save('blind', (b, x) => b.op('Floor', [b.reduceMean(x, [1])]));
  await save('kinked', (b, x) => b.op('ReduceMax', [b.relu(x), b.ints([1])], { keepdims: int(1) }));
});
after(() => rm(folder, { recursive: true }));

function faultline(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(WORKSPACE, 'tools/cli/bin/faultline.js'), ...args],
    {
      cwd: folder,
      encoding: 'utf8',
    },
  );
  return { status, stdout, stderr };
}

test('inspect tells the verdict, and its exit code too', () => {
  const good = faultline('inspect', 'smooth.onnx', '--json');
  assert.equal(good.status, 0, good.stderr);
  assert.equal(JSON.parse(good.stdout).verdict, 'white-box');
  const bad = faultline('inspect', 'blind.onnx');
  assert.equal(bad.status, 1);
  assert.match(bad.stdout, /Floor +no gradient flows/);
  assert.equal(faultline('inspect', 'nowhere.onnx').status, 2);
});

test('gradcheck agrees with a model, kinks or not', () => {
  for (const name of ['smooth.onnx', 'kinked.onnx']) {
    const { status, stdout, stderr } = faultline('gradcheck', name, '--shape', 'sound=1x200', '--json');
    assert.equal(status, 0, `${stdout}${stderr}`);
    assert.equal(JSON.parse(stdout).outcome, 'agrees');
  }
  assert.equal(faultline('gradcheck', 'smooth.onnx', '--shape', 'sight=1x2').status, 2);
});

test('card init without a terminal names what is missing, and takes defaults', () => {
  const asked = faultline('card', 'init', 'smooth.onnx');
  assert.equal(asked.status, 2);
  assert.match(asked.stderr, /--set 'sound\.rate=16000'/);
  const made = faultline('card', 'init', 'smooth.onnx', '--yes', '--json', '--set', 'rate=8000');
  assert.equal(made.status, 0, made.stderr);
  const { card, gradient } = JSON.parse(made.stdout);
  assert.deepEqual([card, gradient], ['smooth', 'white-box']);
  assert.equal(faultline('inspect', 'smooth').status, 0);
});
