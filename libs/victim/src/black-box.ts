import type { DenseTensor, victim } from '@faultline/contracts';
import { verdictTolerance } from './card.ts';
import type { CallOptions, Cost, Prediction, Tensors } from './victim.ts';

/** All that an attack which knows scores may ask of a victim. */
export interface ScorePredictor {
  /** Logits of a batch; inputs [batch, ...]. */
  predict(inputs: Tensors, options?: CallOptions): Promise<Prediction>;
}

/** Which labels a victim finds active: no score is behind it. */
export interface Decisions {
  /** uint8 [batch, labels]: 1 where the label is active. */
  readonly active: DenseTensor<Uint8Array>;
  readonly modelSha256: string;
  readonly cost: Cost;
}

/** All that an attack which knows labels alone may ask of a victim. */
export interface LabelPredictor {
  /** The active labels of a batch; inputs [batch, ...]. */
  decide(inputs: Tensors, options?: CallOptions): Promise<Decisions>;
}

/** Keeps the scores to itself and tells what is active: where the logit is above its threshold, less the tolerance of verdicts. */
export function labelsOnly(predictor: ScorePredictor, card: victim.Card): LabelPredictor {
  const tolerance = verdictTolerance(card);
  const lowest = card.labels.map(({ threshold }) => threshold - tolerance);
  return {
    async decide(inputs, options) {
      const { logits, modelSha256, cost } = await predictor.predict(inputs, options);
      const active = Uint8Array.from(logits.data, (logit, i) =>
        logit > (lowest[i % lowest.length] ?? Number.POSITIVE_INFINITY) ? 1 : 0,
      );
      return { active: { dims: logits.dims, data: active }, modelSha256, cost };
    },
  };
}

/**
 * Decisions in the form that programs read: each logit stands one logit scale above its threshold where the label is active, and one
 * below where it is not. Nothing else can be learnt from them.
 */
export function decisionsAsLogits(labels: LabelPredictor, card: victim.Card): ScorePredictor {
  const thresholds = card.labels.map(({ threshold }) => threshold);
  return {
    async predict(inputs, options) {
      const { active, modelSha256, cost } = await labels.decide(inputs, options);
      const data = Float32Array.from(
        active.data,
        (on, i) => (thresholds[i % thresholds.length] ?? 0) + (on === 1 ? card.logitScale : -card.logitScale),
      );
      return { logits: { dims: active.dims, data }, taps: new Map(), modelSha256, cost };
    },
  };
}
