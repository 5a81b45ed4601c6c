import { type Dimension, encodeModel, GraphBuilder } from '@faultline/onnx';
import type { LoopPlan } from '@faultline/victim';
import { CLIPS, card, inputs, LABELS, SAMPLES, targetsOf } from './two-layer-victim.ts';

/** Builds a program whose slots are declared where they are read. */
export class TestProgram extends GraphBuilder {
  /** Reads a slot of `dims` for each example. */
  read(slot: string, dims: readonly Dimension[] = []): string {
    return this.input(slot, ['examples', ...dims]);
  }

  write(slot: string, value: string): void {
    this.output(value, undefined, 'unknown', slot);
  }
}

export function program(build: (b: TestProgram) => void): Uint8Array {
  const b = new TestProgram();
  build(b);
  return encodeModel(b.model());
}

/** loss = sum of the targets' logits, [examples] or [examples, samples]. */
export const sumOfTargets = (samples?: number) =>
  program((b) => {
    const logits = b.read('logits', samples === undefined ? [LABELS] : [samples, LABELS]);
    const targets = b.read('targets', [LABELS]);
    const chosen = b.times(logits, samples === undefined ? targets : b.reshape(targets, [-1, 1, LABELS]));
    b.write('loss', b.reduceSum(chosen, [samples === undefined ? 1 : 2], false));
  });

/** x <- x - param/size x gradient; the loss is an outcome. */
export const descent = program((b) => {
  const size = b.reshape(b.read('param/size'), [-1, 1]);
  b.write('next/waveform', b.minus(b.read('x/waveform', [SAMPLES]), b.times(size, b.read('grad/waveform', [SAMPLES]))));
  b.write('outcome/loss', b.op('Identity', [b.read('loss')]));
});

/** A loop over all clips on the waveform, unless said otherwise. */
export const planOf = (more: Partial<LoopPlan> = {}): LoopPlan => ({
  modelSha256: card.sha256,
  programs: { objective: sumOfTargets(), step: descent },
  variables: [{ name: 'waveform', scope: 'example' }],
  exampleClips: Array.from({ length: CLIPS }, (_, i) => i),
  inputs,
  targets: targetsOf(CLIPS),
  ...more,
});
