import { victim } from '@faultline/contracts';

// A real, tiny victim for tests: logits are linear in the inputs, so that every critical budget is known in closed form.

export const SAMPLES = 32;
export const FRAMES = { frames: 2, height: 2, width: 2 };
export const PIXELS = FRAMES.frames * 3 * FRAMES.height * FRAMES.width;
export const LABELS = ['dog', 'bird', 'horse'] as const;

const THRESHOLD = 0.25;
const LOGIT_SCALE = 1;

/** Input specifications of the linear victims. */
export const INPUTS: victim.InputSpecification[] = [
  { name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: SAMPLES } } },
  { name: 'frames', kind: { $case: 'frames', value: { frameRateHz: 4, ...FRAMES } } },
];

/** logits_l = gain x (mean over the label's third of the waveform + mean over its third of the pixels). */
export interface LinearVictim {
  readonly card: victim.Card;
  /** d logits / d input, [labels][elements]. */
  readonly weights: Readonly<Record<'waveform' | 'frames', readonly Float32Array[]>>;
}

/** Weights that average the label's share of an input's elements. */
function averaging(elements: number, gain: number): Float32Array[] {
  return LABELS.map((_, label) => {
    const members = Array.from({ length: elements }, (_unused, index) => index % LABELS.length === label);
    const count = members.filter(Boolean).length;
    return Float32Array.from(members, (member) => (member ? gain / count : 0));
  });
}

export function linearVictim(
  name: string,
  gains: { readonly waveform: number; readonly frames: number },
): LinearVictim {
  const card = victim.Card.fromPartial({
    schemaVersion: 1,
    name,
    title: `${name}, linear`,
    fusion: victim.FusionVariant.FUSION_VARIANT_LATE,
    model: 'model.onnx',
    sha256: Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64),
    inputs: INPUTS,
    logits: 'logits',
    labels: LABELS.map((label) => ({ label, threshold: THRESHOLD })),
    operatingPoint: 'fixed',
    logitScale: LOGIT_SCALE,
    parameters: LABELS.length * (SAMPLES + PIXELS),
    macs: LABELS.length * (SAMPLES + PIXELS),
    licence: 'Apache-2.0',
  });
  return {
    card,
    weights: { waveform: averaging(SAMPLES, gains.waveform), frames: averaging(PIXELS, gains.frames) },
  };
}

/** Logits of one example. */
export function linearLogits(model: LinearVictim, waveform: Float32Array, frames: Float32Array): number[] {
  const dot = (weights: Float32Array | undefined, values: Float32Array): number =>
    values.reduce((sum, value, index) => sum + value * (weights?.[index] ?? 0), 0);
  return LABELS.map(
    (_, label) => dot(model.weights.waveform[label], waveform) + dot(model.weights.frames[label], frames),
  );
}
