/** Uniform numbers in [0, 1) from a seed, so that a failing test fails again. */
export { seededRandom as randomNumbers } from '@faultline/metrics';

/** A standard normal number (Box-Muller). */
export const normal = (random: () => number) =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
