import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CheckpointError, readCheckpoint } from './checkpoint.ts';
import { TOY_SPEC, toyBatch } from './testing/toy-set.ts';
import { Trainer } from './trainer.ts';
import { runTraining } from './training-run.ts';

const MAIN = join(import.meta.dirname, 'testing/toy-run-main.ts');

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-training-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('a run killed in the middle continues to the same weights, bit for bit', () =>
  inFolder(async (folder) => {
    const run = (...args: string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
    const [whole, parts, checkpoint] = ['whole', 'parts', 'checkpoint'].map((name) => join(folder, name));
    assert.ok(whole && parts && checkpoint);
    const straight = run(join(folder, 'other'), whole);
    assert.equal(straight.status, 0, straight.stderr);
    assert.equal(run(checkpoint, parts, '6').signal, 'SIGKILL');
    const resumed = run(checkpoint, parts);
    assert.equal(resumed.status, 0, resumed.stderr);
    assert.equal(resumed.stdout, 'resumed at 4\n');
    assert.deepEqual(await readFile(parts), await readFile(whole));
    const made = await readCheckpoint(parts);
    assert.ok(made);
    assert.equal((made.metadata as { step: number }).step, 9);
    // Once more: all is done, the weights are in the checkpoint.
    assert.equal(run(checkpoint, parts).stdout, 'resumed at 12\n');
    assert.deepEqual(await readFile(parts), await readFile(whole));
  }));

async function* batches(from: number) {
  for (let step = from; ; step++) yield toyBatch(step);
}

test('a run stops when validation no longer improves, with the best weights', async () => {
  await using trainer = await Trainer.create({ spec: TOY_SPEC, seed: 1 });
  const seen: number[] = [];
  const { step, curve, weights } = await runTraining(trainer, {
    schedule: { peak: 0.02, warmUpSteps: 1, steps: 50 },
    batches,
    stepsPerReport: 50,
    validation: { everySteps: 1, patience: 2, figure: async (_, at) => seen.push(at) && -Math.abs(at - 2) },
  });
  assert.deepEqual(seen, [1, 2, 3, 4]);
  assert.equal(step, 2);
  assert.equal(curve.length, 4);
  assert.notDeepEqual(weights.get('head.weight'), trainer.weights().get('head.weight'));
});

test('a checkpoint of another run, or a damaged one, is refused', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'checkpoint');
    await using trainer = await Trainer.create({ spec: TOY_SPEC, seed: 1 });
    const start = (identity: string) =>
      runTraining(trainer, {
        schedule: { peak: 0.02, warmUpSteps: 1, steps: 1 },
        batches,
        stepsPerReport: 1,
        checkpoint: { path, everySteps: 1, identity },
      });
    await start('seed 1');
    await assert.rejects(start('seed 2'), (error: Error) => {
      assert.ok(error instanceof CheckpointError);
      assert.match(error.message, /other options \(seed 1\).*has seed 2/);
      return true;
    });
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, bytes.length - 3));
    await assert.rejects(start('seed 1'), /no whole checkpoint/);
    await writeFile(path, 'something else');
    await assert.rejects(start('seed 1'), /no whole checkpoint/);
  }));
