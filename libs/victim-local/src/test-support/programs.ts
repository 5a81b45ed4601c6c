import assert from 'node:assert/strict';
import { type Dimension, encodeModel, GraphBuilder } from '@faultline/onnx';
import type { Loop, LoopPlan } from '@faultline/victim';
import { CLIPS, inputs, LABELS, SAMPLES } from './two-layer-victim.ts';

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

/** Moves nothing, and keeps what it reads in states: state/S is the value of the slot S. */
export const recorder = (slots: ReadonlyMap<string, readonly Dimension[]>) =>
  program((b) => {
    for (const [slot, dims] of slots) b.write(`next/state/${slot}`, b.op('Identity', [b.input(slot, dims)]));
  });

/** x <- x - gradient */
export const descent = program((b) => {
  b.write('next/waveform', b.minus(b.read('x/waveform', [SAMPLES]), b.read('grad/waveform', [SAMPLES])));
  b.write('outcome/loss', b.op('Identity', [b.read('loss')]));
});

export const targets = { dims: [CLIPS, LABELS], data: Float32Array.of(1, 0, 0, 0, 1, 1, 0, 0, 1) };

/** A loop over all clips; the waveform is attacked unless said otherwise. */
export const planOf = (programs: LoopPlan['programs'], more: Partial<LoopPlan> = {}): LoopPlan => ({
  modelSha256: '',
  programs,
  variables: [{ name: 'waveform', scope: 'example' }],
  exampleClips: [0, 1, 2],
  inputs,
  targets,
  ...more,
});

export const stateOf = async (loop: Loop, name: string) => {
  const tensor = (await loop.fetch([`state/${name}`])).get(`state/${name}`);
  assert.ok(tensor);
  return tensor;
};

export function near(found: Iterable<number | bigint>, expected: Iterable<number>, tolerance = 1e-4): void {
  const [left, right] = [Array.from(found, Number), [...expected]];
  assert.equal(left.length, right.length);
  for (const [i, value] of left.entries()) {
    const other = right[i] ?? Number.NaN;
    assert.ok(Math.abs(value - other) <= tolerance, `[${i}]: ${value}, expected ${other}`);
  }
}
