import { createHash } from 'node:crypto';
import { type DenseTensor, elementCount, type victim } from '@faultline/contracts';
import { type Tensors, valueRange } from '@faultline/victim';
import { vectorNorm } from './float32-bounds.ts';
import type { UniversalNorm } from './universal.ts';

/** Perturbations by variable, float32 [1, ...]. */
export type Perturbations = ReadonlyMap<string, DenseTensor<Float32Array>>;

/**
 * Clips with a universal perturbation: clean + delta, limited to the range of each input, in float32 [clips, ...]; inputs without one stay as they are.
 * @throws RangeError where a perturbation is for no input of the card, or of another shape.
 */
export function applyUniversal(
  perturbations: Perturbations,
  clean: Tensors,
  card: victim.Card,
): Map<string, DenseTensor> {
  const moved = new Map(clean);
  for (const [name, delta] of perturbations) {
    const input = card.inputs.find((known) => known.name === name);
    const tensor = clean.get(name);
    if (input === undefined || tensor === undefined) {
      const known = card.inputs.map((one) => one.name).join(', ');
      throw new RangeError(`perturbation '${name}' is for no input of victim '${card.name}', which takes ${known}`);
    }
    const size = elementCount(tensor.dims.slice(1));
    if (delta.data.length !== size) {
      throw new RangeError(`perturbation '${name}' has ${delta.data.length} elements; a clip of it has ${size}`);
    }
    const { low, high } = valueRange(input);
    const unit = tensor.data instanceof Uint8Array ? 1 / 255 : 1;
    const data = Float32Array.from(tensor.data as Float32Array, (value, index) =>
      Math.min(high, Math.max(low, Math.fround(value * unit) + (delta.data[index % size] ?? Number.NaN))),
    );
    moved.set(name, { dims: tensor.dims, data });
  }
  return moved;
}

/** Version of the derivation; changing it changes every draw. */
const DOMAIN = 'faultline/universal-noise/1';

/** Uniform numbers in (0, 1), from SHA-256 of a counter. */
function* uniforms(key: string): Generator<number> {
  for (let counter = 0; ; counter += 1) {
    const words = createHash('sha256').update(`${DOMAIN} ${key} ${counter}`).digest();
    for (let at = 0; at < words.length; at += 4) yield (words.readUInt32LE(at) + 0.5) / 2 ** 32;
  }
}

/**
 * Random noise of the norms of these perturbations, the same for all clips: the baseline beside a universal attack. Signs for L-inf, a random direction for L2; zero where a
 * perturbation is zero, so that it stays in its region.
 */
export function universalNoise(perturbations: Perturbations, norm: UniversalNorm, seed: number): Perturbations {
  return new Map(
    Array.from(perturbations, ([name, { dims, data }]) => {
      const random = uniforms(`${seed} ${name}`);
      const next = () => random.next().value ?? Number.NaN;
      const draw = (): number => {
        if (norm === 'linf') return next() < 0.5 ? -1 : 1;
        return Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
      };
      const drawn = Float64Array.from(data, (value) => (value === 0 ? 0 : draw()));
      const [wanted, length] = [vectorNorm(norm, data), vectorNorm(norm, drawn)];
      return [
        name,
        { dims, data: Float32Array.from(drawn, (value) => (length === 0 ? 0 : (value * wanted) / length)) },
      ];
    }),
  );
}
