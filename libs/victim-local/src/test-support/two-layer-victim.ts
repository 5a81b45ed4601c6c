import { createHash } from 'node:crypto';
import { type DenseTensor, victim } from '@faultline/contracts';
import { encodeModel, float32, GraphBuilder } from '@faultline/onnx';
import { LocalVictim } from '../local-victim.ts';

// A victim small enough to be computed twice: by the runtime, and here in float64.
// audio = waveform A; hidden = tanh(audio + frames V); logits = hidden O. Taps: audio, hidden.

export const SAMPLES = 6;
export const HIDDEN = 4;
export const LABELS = 3;
const FRAME_DIMS = [2, 3, 2, 2] as const;
const PIXELS = 24;

const waves = (length: number, scale: number, phase: number) =>
  Float32Array.from({ length }, (_, i) => scale * Math.sin(1.7 * i + phase));
const A = waves(SAMPLES * HIDDEN, 0.8, 1);
const V = waves(PIXELS * HIDDEN, 0.3, 2);
const O = waves(HIDDEN * LABELS, 1, 3);

export const CLIPS = 3;
/** Clean inputs of three clips. */
export const inputs = new Map<string, DenseTensor<Float32Array>>([
  ['waveform', { dims: [CLIPS, SAMPLES], data: waves(CLIPS * SAMPLES, 0.5, 4) }],
  ['frames', { dims: [CLIPS, ...FRAME_DIMS], data: waves(CLIPS * PIXELS, 0.4, 5).map((x) => 0.5 + x) }],
]);

/** The values of one tensor's row. */
export const row = (tensor: DenseTensor | undefined, index: number): number[] => {
  const size = (tensor?.data.length ?? 0) / (tensor?.dims[0] ?? 1);
  return Array.from(tensor?.data.slice(index * size, (index + 1) * size) ?? [], Number);
};

const product = (x: readonly number[], matrix: Float32Array, columns: number) =>
  Array.from({ length: columns }, (_, c) =>
    x.reduce((sum, value, r) => sum + value * (matrix[r * columns + c] ?? 0), 0),
  );

export const audioOf = (waveform: readonly number[]) => product(waveform, A, HIDDEN);
export const hiddenOf = (audio: readonly number[], frames: readonly number[]) => {
  const picture = product(frames, V, HIDDEN);
  return audio.map((value, i) => Math.tanh(value + (picture[i] ?? 0)));
};
export const logitsOf = (hidden: readonly number[]) => product(hidden, O, LABELS);
/** Logits of a waveform beside a clip's frames. */
export const logitsAt = (waveform: readonly number[], clip: number) =>
  logitsOf(hiddenOf(audioOf(waveform), row(inputs.get('frames'), clip)));

/** Gradient of a function by central differences. */
export function slopes(f: (x: readonly number[]) => number, x: readonly number[], step = 1e-4): number[] {
  return x.map((value, i) => (f(x.with(i, value + step)) - f(x.with(i, value - step))) / (2 * step));
}

export async function twoLayerVictim(): Promise<LocalVictim> {
  const b = new GraphBuilder();
  const waveform = b.input('waveform', ['batch', SAMPLES]);
  const frames = b.reshape(b.input('frames', ['batch', ...FRAME_DIMS]), [-1, PIXELS]);
  b.add('MatMul', [waveform, b.constant(float32(A, [SAMPLES, HIDDEN]))], {}, ['audio']);
  const picture = b.matmul(frames, b.constant(float32(V, [PIXELS, HIDDEN])));
  b.add('Tanh', [b.plus('audio', picture)], {}, ['hidden']);
  b.output(b.matmul('hidden', b.constant(float32(O, [HIDDEN, LABELS]))), ['batch', LABELS], 'float32', 'logits');
  const model = encodeModel(b.model('two-layer'));
  const [, frameCount, height, width] = [0, 2, 2, 2];
  const card = victim.Card.fromPartial({
    schemaVersion: 1,
    name: 'two-layer',
    model: 'model.onnx',
    sha256: createHash('sha256').update(model).digest('hex'),
    inputs: [
      { name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: SAMPLES } } },
      { name: 'frames', kind: { $case: 'frames', value: { frameRateHz: 4, frames: frameCount, height, width } } },
    ],
    logits: 'logits',
    labels: Array.from({ length: LABELS }, (_, i) => ({ label: `label-${i}`, threshold: 0 })),
    logitScale: 1,
    taps: [
      { name: 'audio', value: 'audio' },
      { name: 'hidden', value: 'hidden' },
    ],
  });
  return LocalVictim.load({ model, card });
}
