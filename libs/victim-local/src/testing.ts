import { createHash } from 'node:crypto';
import { victim } from '@faultline/contracts';
import { encodeModel, float32, GraphBuilder } from '@faultline/onnx';

/** A victim whose logits are linear in its inputs: its optimal attacks are known in closed form. For tests. */
export interface LinearVictim {
  readonly model: Uint8Array;
  readonly card: victim.Card;
}

export interface LinearVictimOptions {
  /** Weights of the waveform, [samples, labels] row-major. */
  readonly waveform: Float32Array;
  /** Weights of the pixels, [pixels, labels] row-major; pixels = frames x 3 x height x width. */
  readonly frames: Float32Array;
  readonly bias: Float32Array;
  /** [frames, height, width] */
  readonly frameDims: readonly [number, number, number];
}

/** The card of a small model in tests: thresholds and logit scale as if there were nothing to tell, unless `fields` tell it. */
export function testCard(
  name: string,
  model: Uint8Array,
  labels: number,
  fields: Parameters<typeof victim.Card.fromPartial>[0],
): victim.Card {
  return victim.Card.fromPartial({
    schemaVersion: 1,
    name,
    model: 'model.onnx',
    sha256: createHash('sha256').update(model).digest('hex'),
    logits: 'logits',
    labels: Array.from({ length: labels }, (_, i) => ({ label: `label-${i}`, threshold: 0 })),
    logitScale: 1,
    ...fields,
  });
}

/** Builds a linear victim with thresholds 0: logits = waveform W_a + frames W_v + bias. */
export function linearVictim(options: LinearVictimOptions): LinearVictim {
  const labels = options.bias.length;
  const samples = options.waveform.length / labels;
  const [frames, height, width] = options.frameDims;
  const pixels = options.frames.length / labels;
  const b = new GraphBuilder();
  const sound = b.matmul(
    b.input('waveform', ['batch', samples]),
    b.constant(float32(options.waveform, [samples, labels])),
  );
  const flat = b.reshape(b.input('frames', ['batch', frames, 3, height, width]), [-1, pixels]);
  const picture = b.matmul(flat, b.constant(float32(options.frames, [pixels, labels])));
  b.output(b.plus(b.plus(sound, picture), b.constant(float32(options.bias))), ['batch', labels], 'float32', 'logits');
  const model = encodeModel(b.model('linear'));
  const card = testCard('linear', model, labels, {
    inputs: [
      { name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples } } },
      { name: 'frames', kind: { $case: 'frames', value: { frameRateHz: 4, frames, height, width } } },
    ],
  });
  return { model, card };
}
