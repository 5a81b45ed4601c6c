import { FaultlineError } from '@faultline/service-kit';
import {
  type CallOptions,
  decisionsAsLogits,
  type Gradients,
  type LabelPredictor,
  type Loop,
  type LoopPlan,
  labelsOnly,
  type Parameters,
  PROTOCOL_VERSION,
  type Prediction,
  type PredictOptions,
  type ScorePredictor,
  type Tensors,
  type Victim,
  type VictimDescription,
} from '@faultline/victim';
import { OipLabelVictim, type OipModel, OipVictim } from '@faultline/victim-grpc';
import type { OipAddress } from './oip-address.ts';

/** Evaluations at once, as many as an inference service takes: the model is asked in parts. */
const MAX_EXAMPLES = 256;

/** What an attack may see of a black box. */
export type BlackBoxKnowledge = 'scores' | 'labels';

/** A victim of which nothing is known but its answers: the programs of an attack run here, and the answers are asked for. */
export class BlackBoxVictim implements Victim {
  readonly #model: OipModel;
  readonly #predictor: ScorePredictor;

  /** @throws FaultlineError failed_precondition for scores of a model that tells labels only */
  constructor(model: OipModel, answers: OipAddress['answers'], knowledge: BlackBoxKnowledge) {
    this.#model = model;
    this.#predictor = predictorOf(model, answers, knowledge);
  }

  /** Holds the server's metadata against the card. */
  async describe(options: CallOptions = {}): Promise<VictimDescription> {
    await this.#model.check(options);
    return {
      card: this.#model.card,
      protocolVersion: PROTOCOL_VERSION,
      optimizeSlots: 1,
      maxExamples: MAX_EXAMPLES,
      runtime: 'Open Inference Protocol',
      threads: 1,
    };
  }

  predict(inputs: Tensors, options: PredictOptions = {}): Promise<Prediction> {
    return this.#predictor.predict(inputs, options);
  }

  differentiate(): Promise<Gradients> {
    return Promise.reject(withoutGradients());
  }

  /** The loop's programs run in this process, in front of the model. */
  async open(plan: LoopPlan, parameters: Parameters, options: CallOptions = {}): Promise<Loop> {
    if (plan.mode !== 'evaluate') throw withoutGradients();
    // Where all victims are our own services, this process needs no runtime of its own.
    const { openPredictorLoop } = await import('@faultline/victim-local');
    const predictor = { predict: (inputs: Tensors) => this.#predictor.predict(inputs, options) };
    return openPredictorLoop({ card: this.#model.card, predictor }, plan, parameters);
  }

  /** The model belongs to whoever made it. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

const withoutGradients = () =>
  new FaultlineError(
    'failed_precondition',
    'this victim gives answers and no gradients; use an attack that knows scores or labels only',
  );

function predictorOf(model: OipModel, answers: OipAddress['answers'], knowledge: BlackBoxKnowledge): ScorePredictor {
  if (answers === 'labels') {
    if (knowledge === 'labels') return decisionsAsLogits(new OipLabelVictim(model), model.card);
    throw new FaultlineError(
      'failed_precondition',
      'this victim tells which labels are active, and no scores; use an attack that knows labels only',
    );
  }
  const scores = new OipVictim(model, answers);
  if (knowledge === 'scores') return scores;
  const labels: LabelPredictor = labelsOnly(scores, model.card);
  return decisionsAsLogits(labels, model.card);
}
