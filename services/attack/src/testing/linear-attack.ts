import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attack, encodeTensor, victim } from '@faultline/contracts';
import { linearVictim } from '@faultline/victim-local/testing';

// A tiny victim whose logits are linear, and requests that attack it.

/** Large enough for a batch that is not freed to show. */
const SAMPLES = 4_000;
const PIXELS = 2 * 3 * 4 * 4;
const LABELS = 2;
const CLIPS = 3;
const wave = (length: number, scale: number) => Float32Array.from({ length }, (_, i) => scale * Math.sin(i * 1.3));
export const linear = linearVictim({
  waveform: wave(SAMPLES * LABELS, 0.008),
  frames: wave(PIXELS * LABELS, 0.2),
  bias: Float32Array.of(2, 3),
  frameDims: [2, 4, 4],
});
const waveform = { dims: [CLIPS, SAMPLES], data: wave(CLIPS * SAMPLES, 0.3) };
export const frames = {
  dims: [CLIPS, 2, 3, 4, 4],
  data: Uint8Array.from({ length: CLIPS * PIXELS }, (_, i) => (i * 37) % 256),
};

/** A request that succeeds on the larger rung; tests change what they are about. */
export function request(changes: Partial<attack.ThreatModel> = {}): attack.AttackRequest {
  return {
    context: undefined,
    tapValues: [],
    victim: 'linear',
    modelSha256: linear.card.sha256,
    threatModel: {
      name: 'linf-waveform',
      variables: [attack.VariableBudget.fromPartial({ variable: 'waveform', rho: 1 })],
      norm: attack.Norm.NORM_LINF,
      rungs: [
        { scale: 0, stopping: attack.Stopping.STOPPING_EARLY },
        { scale: 0.5, stopping: attack.Stopping.STOPPING_EARLY },
        { scale: 0.5, stopping: attack.Stopping.STOPPING_NEVER },
      ],
      attack: 'pgd',
      steps: 20,
      restarts: 1,
      seed: 7,
      parameters: [],
      attackName: '',
      craft: undefined,
      surrogate: '',
      furtherAttacks: [],
      ...changes,
    },
    inputs: [
      { name: 'waveform', tensor: encodeTensor(waveform) },
      { name: 'frames', tensor: encodeTensor(frames) },
    ],
    targets: encodeTensor({ dims: [CLIPS, LABELS], data: Float32Array.of(1, 0, 0, 1, 1, 1) }),
    clipSha256: Array.from({ length: CLIPS }, (_, clip) => createHash('sha256').update(`${clip}`).digest('hex')),
    delivery: attack.TensorDelivery.TENSOR_DELIVERY_RAW,
  };
}

/** What an attack tells: the kinds of messages in a row, and the results of its ladder or search. */
export async function read(responses: AsyncIterable<attack.AttackResponse>) {
  const kinds: string[] = [];
  const results: attack.RungResult[] = [];
  const searches: attack.SearchResult[] = [];
  const universals: attack.UniversalResult[] = [];
  for await (const { kind } of responses) {
    if (kind !== undefined && kinds.at(-1) !== kind.$case) kinds.push(kind.$case);
    if (kind?.$case === 'result') results.push(kind.value);
    if (kind?.$case === 'search') searches.push(kind.value);
    if (kind?.$case === 'universal') universals.push(kind.value);
  }
  return { kinds, results, searches, universals };
}

/** Writes the victim's folder, as an inference service takes it. */
export async function writeVictim(folder: string): Promise<void> {
  await writeFile(join(folder, 'model.onnx'), linear.model);
  await writeFile(join(folder, 'card.json'), JSON.stringify(victim.Card.toJSON(linear.card)));
}
