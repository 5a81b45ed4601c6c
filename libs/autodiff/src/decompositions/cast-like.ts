import type { Decomposition } from './decomposition.ts';

/** The second input says a type and no more: without it, no gradient is looked for where none can be. */
export const castLike: Decomposition = (c) => [c.e.cast(c.input(0), c.input(1).dataType)];
