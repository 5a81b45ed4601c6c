import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LABELS } from '@faultline/dataset';
import { ARCHITECTURES, type ArchitectureName, buildVictim } from '@faultline/fusion';
import { float32 } from '@faultline/onnx';
import { initialise } from '@faultline/training';
import { assemble } from './assemble.ts';
import { type KeptRun, keepRun, readKeptRun } from './kept-run.ts';
import { exportedModel, type LabelledSet, logitsOf } from './labelled-set.ts';

const cost = { steps: 2, clips: 48, processorSeconds: 1.5, processor: 'a processor', threads: 1 };

function untrained(name: ArchitectureName, seed: number): KeptRun {
  const { parameters, statistics } = buildVictim(ARCHITECTURES[name].laptop);
  const weights = new Map(initialise(parameters, seed));
  for (const { mean, variance, channels } of statistics) {
    weights.set(mean, float32(new Float32Array(channels).fill(0.1), [channels]));
    weights.set(variance, float32(new Float32Array(channels).fill(2), [channels]));
  }
  return { weights, history: { command: name, bestStep: 2, curve: [], cost } };
}

const set: LabelledSet = {
  labels: LABELS,
  styles: [[], []],
  targets: new Float32Array(2 * 12),
  batches: [
    {
      start: 0,
      size: 2,
      inputs: {
        waveform: Float32Array.from({ length: 2 * 32_000 }, (_, at) => 0.3 * Math.sin(at * (1 + at / 1e5))),
        frames: Uint8Array.from({ length: 2 * 8 * 3 * 64 * 64 }, (_, at) => (at * 37) % 256),
      },
    },
  ],
};

test('a decision victim of two that were trained apart mixes their probabilities', async () => {
  const parts = [untrained('audio', 3), untrained('visual', 4)];
  const { weights, history } = assemble(ARCHITECTURES.decision.laptop, parts, 'the command');
  assert.deepEqual(history, {
    command: 'the command',
    bestStep: 0,
    curve: [],
    cost: { ...cost, steps: 4, clips: 96, processorSeconds: 3 },
  });
  const logits = async (name: ArchitectureName, of: KeptRun['weights']) => {
    const spec = ARCHITECTURES[name].laptop;
    return await logitsOf(exportedModel(spec, of), spec, set, { threads: 1 });
  };
  const [heard, seen] = [
    await logits('audio', parts[0]?.weights ?? new Map()),
    await logits('visual', parts[1]?.weights ?? new Map()),
  ];
  const sigmoid = (value = 0) => 1 / (1 + Math.exp(-value));
  for (const [index, logit] of (await logits('decision', weights)).entries()) {
    const mixed = 0.6 * sigmoid(heard[index]) + 0.4 * sigmoid(seen[index]);
    assert.ok(Math.abs(sigmoid(logit) - mixed) < 1e-5, `${sigmoid(logit)} ${mixed}`);
  }
});

test('parts that do not fit are told', () => {
  const spec = ARCHITECTURES.decision.laptop;
  const [audio, visual] = [untrained('audio', 1), untrained('visual', 1)];
  assert.throws(() => assemble(spec, [audio], ''), /no part holds 'video/);
  assert.throws(() => assemble(spec, [audio, audio, visual], ''), /two parts hold 'audio/);
});

test('a kept run comes back, and one that is not there is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-kept-'));
  try {
    const run = untrained('visual', 1);
    const path = join(folder, 'deeper', 'run.weights');
    await keepRun(path, run);
    assert.deepEqual(await readKeptRun(path), run);
    await assert.rejects(readKeptRun(join(folder, 'other')), /no weights in .*other; train that victim first/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
