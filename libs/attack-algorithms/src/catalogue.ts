import { apgd } from './apgd.ts';
import type { AttackDefinition } from './attack.ts';
import { carliniWagner } from './carlini-wagner.ts';
import { ddn } from './ddn.ts';
import { deepfool } from './deepfool.ts';
import { ead } from './ead.ts';
import { ensemble } from './ensemble.ts';
import { fab } from './fab.ts';
import { mma, tia, tma } from './feature-attacks.ts';
import { fgsm } from './fgsm.ts';
import { fmn } from './fmn.ts';
import { hopSkipJump } from './hop-skip-jump.ts';
import { miFgsm } from './mi-fgsm.ts';
import type { MinimumNormDefinition } from './minimum-norm.ts';
import { nes } from './nes.ts';
import { noise } from './noise.ts';
import { pgd } from './pgd.ts';
import { sigmaZero } from './sigma-zero.ts';
import { spsa } from './spsa.ts';
import { square } from './square.ts';
import { transfer } from './transfer.ts';
import { type UniversalDefinition, universal } from './universal.ts';

/** A row of the catalogue; its kind tells them apart. */
export type CatalogueRow = AttackDefinition | MinimumNormDefinition | UniversalDefinition;

/** Whether an attack crafts on another victim than that under attack. */
export const needsSurrogate = (row: CatalogueRow): boolean => 'needsSurrogate' in row && row.needsSurrogate === true;

/** The attacks on offer, by name. Adding one is adding a row here and its file. */
export const catalogue: ReadonlyMap<string, CatalogueRow> = new Map(
  [
    pgd,
    apgd,
    ensemble,
    fgsm,
    miFgsm,
    tia,
    mma,
    tma,
    fmn,
    ddn,
    deepfool,
    fab,
    carliniWagner,
    ead,
    sigmaZero,
    square,
    nes,
    spsa,
    hopSkipJump,
    transfer,
    universal,
    noise,
  ].map((row): [string, CatalogueRow] => [row.name, row]),
);
