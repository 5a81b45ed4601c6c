import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { victim } from '@faultline/contracts';
import { encodeModel, float32, GraphBuilder } from '@faultline/onnx';
import type { Tensors } from '@faultline/victim';

// A small victim with a tap of each kind: audio = waveform A; hidden = tanh(audio + frames V); logits = hidden O.

export const SAMPLES = 64;
export const HIDDEN = 16;
export const LABELS = 3;
export const CLIPS = 2;
export const FRAME_DIMS = [2, 3, 4, 4] as const;
const PIXELS = 96;

const wave = (length: number, scale: number) => Float32Array.from({ length }, (_, i) => scale * Math.sin(i * 1.3));

function modelBytes(): Uint8Array {
  const b = new GraphBuilder();
  const weights = (rows: number, columns: number, scale: number) =>
    b.constant(float32(wave(rows * columns, scale), [rows, columns]));
  b.add('MatMul', [b.input('waveform', ['batch', SAMPLES]), weights(SAMPLES, HIDDEN, 0.3)], {}, ['audio']);
  const flat = b.reshape(b.input('frames', ['batch', ...FRAME_DIMS]), [-1, PIXELS]);
  b.add('Tanh', [b.plus('audio', b.matmul(flat, weights(PIXELS, HIDDEN, 0.1)))], {}, ['hidden']);
  b.output(b.matmul('hidden', weights(HIDDEN, LABELS, 1)), ['batch', LABELS], 'float32', 'logits');
  return encodeModel(b.model('two-layer'));
}

export const model = modelBytes();

export const card = victim.Card.fromPartial({
  schemaVersion: 1,
  name: 'two-layer',
  model: 'model.onnx',
  sha256: createHash('sha256').update(model).digest('hex'),
  inputs: [
    { name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: SAMPLES } } },
    { name: 'frames', kind: { $case: 'frames', value: { frameRateHz: 4, frames: 2, height: 4, width: 4 } } },
  ],
  logits: 'logits',
  labels: Array.from({ length: LABELS }, (_, i) => ({ label: `label-${i}`, threshold: 0 })),
  logitScale: 1,
  taps: [
    { name: 'audio', value: 'audio' },
    { name: 'hidden', value: 'hidden' },
  ],
});

/** Clean inputs; frames as pixels of 8 bits. */
export const inputs: Tensors = new Map([
  ['waveform', { dims: [CLIPS, SAMPLES], data: wave(CLIPS * SAMPLES, 0.3) }],
  [
    'frames',
    { dims: [CLIPS, ...FRAME_DIMS], data: Uint8Array.from({ length: CLIPS * PIXELS }, (_, i) => (i * 37) % 256) },
  ],
]);

/** 1 at the labels to act on, of as many examples as wanted. */
export const targetsOf = (examples: number) => ({
  dims: [examples, LABELS],
  data: Float32Array.from({ length: examples * LABELS }, (_, i) => Number(i % (LABELS + 1) === 0)),
});

/** The victim in a folder, as a service loads it. */
export async function victimFolder(): Promise<{ readonly folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(path.join(tmpdir(), 'faultline-inference-'));
  await writeFile(path.join(folder, 'model.onnx'), model);
  await writeFile(path.join(folder, 'card.json'), JSON.stringify(victim.Card.toJSON(card)));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}
