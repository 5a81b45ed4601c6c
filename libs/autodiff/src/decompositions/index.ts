import { castLike } from './cast-like.ts';
import type { Decomposition } from './decomposition.ts';
import { discreteFourier, shortTimeFourier } from './fourier.ts';
import { globalLpPool, lpPool, meanVarianceNormalization } from './norms.ts';
import { gru, lstm, rnn } from './recurrent.ts';

export type { Decomposition } from './decomposition.ts';

/** Operators of the standard domain that are written by others before they are differentiated. */
export const DECOMPOSITIONS = {
  CastLike: castLike,
  DFT: discreteFourier,
  GRU: gru,
  GlobalLpPool: globalLpPool,
  LSTM: lstm,
  LpPool: lpPool,
  MeanVarianceNormalization: meanVarianceNormalization,
  RNN: rnn,
  STFT: shortTimeFourier,
} as const satisfies Readonly<Record<string, Decomposition>>;

export const decompositionOf = (op: string): Decomposition | undefined =>
  (DECOMPOSITIONS as Readonly<Record<string, Decomposition>>)[op];
