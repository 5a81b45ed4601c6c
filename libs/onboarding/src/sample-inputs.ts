import type { victim } from '@faultline/contracts';
import { exampleDims, type Tensors } from '@faultline/victim';

/** Amplitude of the sounds, as of speech that is neither whispered nor shouted. */
const AMPLITUDE = 0.1;
/** Pictures come as 8-bit levels. */
const PIXEL_LEVELS = 255;
/** Tones that noise is mixed with, so that not all examples sound alike. */
const TONES_HZ = [110, 440, 1760, 5000];

/** Uniform numbers in [0, 1) from a seed (mulberry32, public domain). */
export function seededUniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Inputs that no media stands behind: sounds of noise and a tone, pictures of noise over a slope of colour, as many examples as asked for. */
export function sampleInputs(inputs: readonly victim.InputSpecification[], examples: number, seed = 1): Tensors {
  const random = seededUniform(seed);
  return new Map(
    inputs.map((input) => {
      const dims = exampleDims(input);
      const size = dims.reduce((product, axis) => product * axis, 1);
      const data = new Float32Array(examples * size);
      for (let example = 0; example < examples; example++) {
        fill(data.subarray(example * size, (example + 1) * size), input, example, random);
      }
      return [input.name, { dims: [examples, ...dims], data }];
    }),
  );
}

function fill(row: Float32Array, { kind }: victim.InputSpecification, example: number, random: () => number): void {
  const loudness = random();
  if (kind?.$case === 'waveform') {
    const step = (2 * Math.PI * (TONES_HZ[example % TONES_HZ.length] ?? 0)) / kind.value.sampleRateHz;
    for (let i = 0; i < row.length; i++) {
      row[i] = AMPLITUDE * (loudness * Math.sin(step * i) + (1 - loudness) * (2 * random() - 1));
    }
    return;
  }
  for (let i = 0; i < row.length; i++) {
    const level = 0.5 * ((i / row.length + loudness) % 1) + 0.5 * random();
    row[i] = Math.round(PIXEL_LEVELS * level) / PIXEL_LEVELS;
  }
}
