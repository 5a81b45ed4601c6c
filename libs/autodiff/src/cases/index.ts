import type { Case } from './case.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { FOURIER } from './fourier.ts';
import { LINEARS } from './linear.ts';
import { NORMALIZATIONS } from './normalization.ts';
import { NORMS } from './norms.ts';
import { RECURRENT } from './recurrent.ts';
import { REDUCTIONS } from './reduction.ts';
import { SELECTIONS } from './selection.ts';
import { SHAPES } from './shape.ts';
import { WINDOWS } from './window.ts';

/** All cases; each operator that has a rule appears at least once. */
export const CASES: readonly Case[] = [
  ...ELEMENTWISE,
  ...SHAPES,
  ...REDUCTIONS,
  ...LINEARS,
  ...WINDOWS,
  ...NORMALIZATIONS,
  ...NORMS,
  ...SELECTIONS,
  ...RECURRENT,
  ...FOURIER,
];
