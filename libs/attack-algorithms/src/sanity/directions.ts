import { deflatedMean } from './deflated-mean.ts';
import type { Point, ProbedClips, Questions } from './probed-clips.ts';

/** A point of a clip, and how far from the clean one it is. */
export interface Standing {
  /** Index in the batch. */
  readonly clip: number;
  readonly point: Point;
  /** max over the variables of |delta| / rho. */
  readonly scale: number;
}

/** Where the margin of clips rises, at points; in any length. */
export type Directions = (
  questions: Questions,
  clips: ProbedClips,
  standing: readonly Standing[],
) => Promise<readonly Point[]>;

const clipsOf = (standing: readonly Standing[]) => standing.map(({ clip }) => clip);
const pointsOf = (standing: readonly Standing[]) => standing.map(({ point }) => point);

/** The victim's own gradients. */
export const ownGradients: Directions = async (questions, _clips, standing) =>
  (await questions.smoothGradients(clipsOf(standing), pointsOf(standing))).gradients;

/** Gradients that pass Round, Floor and Ceil as if they were the identity. Bengio et al. 2013, arXiv 1308.3432; Athalye et al. 2018, arXiv 1802.00420, section 4.1. */
export const straightThrough: Directions = async (questions, _clips, standing) =>
  (await questions.smoothGradients(clipsOf(standing), pointsOf(standing), { straightThrough: true })).gradients;

/** Noisy copies of a point, a step: more than the directions that are taken out of their mean. */
const SAMPLES = 16;
/** Amplitude of the noise, in shares of the point's own perturbation. */
const NOISE_SHARE = 0.05;

/**
 * Means of the gradients at noisy copies of the points, without the few directions in which these differ most: what a random layer adds to
 * a gradient is other in each copy, and lies where the layer looks. Expectation over transformation: Athalye et al. 2018, arXiv 1802.00420, section 4.2.
 */
export const expectation: Directions = async (questions, clips, standing) => {
  const samples: Point[][] = standing.map(() => []);
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const noisy = standing.map(({ point, scale }) => jittered(clips, point, NOISE_SHARE * scale, sample));
    const { gradients } = await questions.smoothGradients(clipsOf(standing), noisy);
    for (const [row, gradient] of gradients.entries()) samples[row]?.push(gradient);
  }
  return samples.map(
    (own): Point =>
      new Map(
        clips.variables.map(({ name }) => [
          name,
          deflatedMean(own.map((gradient) => gradient.get(name) ?? new Float32Array())),
        ]),
      ),
  );
};

/** A point with uniform noise of this scale, in the norm of the budgets, kept in the range. */
function jittered({ variables, norm }: ProbedClips, point: Point, scale: number, sample: number): Point {
  return new Map(
    variables.map(({ name, rho, low, high }) => {
      const values = point.get(name) ?? new Float32Array();
      // Uniform noise of amplitude a has an L2 norm of a sqrt(n / 3).
      const amplitude = scale * rho * (norm === 'linf' ? 1 : Math.sqrt(3 / values.length));
      return [
        name,
        values.map((value, index) =>
          Math.min(high, Math.max(low, value + amplitude * ((2 * bitsAt(index, sample)) / UINT32 - 1))),
        ),
      ];
    }),
  );
}

const UINT32 = 2 ** 32;

/** 32 bits that depend on their place alone (the finalising mix of MurmurHash3). */
export function bitsAt(index: number, draw: number): number {
  let bits = (index + 1) ^ Math.imul(draw + 1, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
