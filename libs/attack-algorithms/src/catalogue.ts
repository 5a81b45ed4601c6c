import type { AttackDefinition } from './attack.ts';
import { fgsm } from './fgsm.ts';
import { miFgsm } from './mi-fgsm.ts';
import { noise } from './noise.ts';
import { pgd } from './pgd.ts';

/** The attacks on offer, by name. Adding one is adding a row here and its file. */
export const catalogue: ReadonlyMap<string, AttackDefinition> = new Map(
  [pgd, fgsm, miFgsm, noise].map((row) => [row.name, row]),
);
