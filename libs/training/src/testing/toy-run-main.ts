import { ADVERSARY_DEFAULTS } from '../adversary.ts';
import { writeCheckpoint } from '../checkpoint.ts';
import { SPEC_AUGMENT_DEFAULTS } from '../spec-augment.ts';
import { Trainer } from '../trainer.ts';
import { runTraining } from '../training-run.ts';
import { TOY_SPEC, toyBatch } from './toy-set.ts';

// Usage: toy-run-main.ts CHECKPOINT RESULT [KILL_AT]: trains the toy victim with everything that draws; with KILL_AT the process
// kills itself, as by kill -9, when that batch is asked for.

const STEPS = 12;
const [checkpoint = '', result = '', killAt = ''] = process.argv.slice(2);

async function* batches(from: number) {
  for (let step = from; step < STEPS; step++) {
    if (String(step) === killAt) process.kill(process.pid, 'SIGKILL');
    yield toyBatch(step);
  }
}

await using trainer = await Trainer.create({
  spec: TOY_SPEC,
  seed: 3,
  specAugment: SPEC_AUGMENT_DEFAULTS,
  mixup: 0.3,
  adversary: { ...ADVERSARY_DEFAULTS, steps: 1, budgets: { waveform: 0.01, frames: 0.02 } },
});
const { weights, curve, step } = await runTraining(trainer, {
  schedule: { peak: 0.02, warmUpSteps: 3, steps: STEPS, decay: 'linear' },
  batches,
  stepsPerReport: 5,
  checkpoint: { path: checkpoint, everySteps: 4, identity: 'toy' },
  validation: {
    everySteps: 3,
    patience: 10,
    // Peaks at step 9, after the checkpoint that a killed run continues from.
    figure: async (_, at) => -Math.abs(at - 9),
  },
  onResume: (at) => process.stdout.write(`resumed at ${at}\n`),
});
await writeCheckpoint(result, { tensors: weights, metadata: { curve, step } });
