import { FaultlineError } from '@faultline/service-kit';
import type { CallOptions, Decisions, LabelPredictor, Prediction, ScorePredictor, Tensors } from '@faultline/victim';
import type { OipModel } from './oip-model.ts';

/** What the answers of a model are: its logits, probabilities of the labels (each in [0, 1]), or which labels are active. */
export type OipAnswers = 'logits' | 'probabilities' | 'labels';

/** Probabilities nearer to 0 or 1 than this are taken for it: float32 cannot tell them from 1, and logits stay finite. */
const SMALLEST_PROBABILITY = 2 ** -24;

/** A label that is given as a number counts as active from here. */
const ACTIVE = 0.5;

function logit(probability: number): number {
  const inside = Math.min(1 - SMALLEST_PROBABILITY, Math.max(SMALLEST_PROBABILITY, probability));
  return Math.log(inside / (1 - inside));
}

/** A victim behind an Open Inference Protocol server, of which the scores are known. */
export class OipVictim implements ScorePredictor {
  readonly model: OipModel;
  readonly #answers: Exclude<OipAnswers, 'labels'>;

  /** Answers that are probabilities are turned into logits, log(p / (1 - p)). */
  constructor(model: OipModel, answers: Exclude<OipAnswers, 'labels'> = 'logits') {
    this.model = model;
    this.#answers = answers;
  }

  /** @throws FaultlineError failed_precondition when the server's answers do not fit the card, or the query budget is spent */
  async predict(inputs: Tensors, options: CallOptions = {}): Promise<Prediction> {
    const { answers, cost } = await this.model.ask(inputs, options);
    const { labels, sha256 } = this.model.card;
    checkColumns(answers.dims, labels.length);
    const data = this.#answers === 'logits' ? answers.data : answers.data.map(logit);
    return {
      logits: { dims: [answers.dims[0] ?? 0, labels.length], data },
      taps: new Map(),
      modelSha256: sha256,
      cost,
    };
  }
}

/** A victim behind an Open Inference Protocol server that tells which labels are active, and no scores. */
export class OipLabelVictim implements LabelPredictor {
  readonly model: OipModel;

  /** Answers: [batch, labels], 1 where a label is active; or [batch] or [batch, 1], the number of the one label that is. */
  constructor(model: OipModel) {
    this.model = model;
  }

  /** @throws FaultlineError failed_precondition when the server's answers do not fit the card, or the query budget is spent */
  async decide(inputs: Tensors, options: CallOptions = {}): Promise<Decisions> {
    const { answers, cost } = await this.model.ask(inputs, options);
    const { labels, sha256 } = this.model.card;
    const rows = answers.dims[0] ?? 0;
    const dims = [rows, labels.length];
    if (labels.length > 1 && answers.data.length === rows) {
      const data = new Uint8Array(rows * labels.length);
      for (const [row, label] of answers.data.entries()) {
        if (!Number.isInteger(label) || label < 0 || label >= labels.length)
          throw new FaultlineError(
            'failed_precondition',
            `answered label ${label}; the card has ${labels.length} labels`,
          );
        data[row * labels.length + label] = 1;
      }
      return { active: { dims, data }, modelSha256: sha256, cost };
    }
    checkColumns(answers.dims, labels.length);
    const data = Uint8Array.from(answers.data, (value) => (value >= ACTIVE ? 1 : 0));
    return { active: { dims, data }, modelSha256: sha256, cost };
  }
}

function checkColumns(dims: readonly number[], labels: number): void {
  if (dims.slice(1).reduce((product, size) => product * size, 1) === labels) return;
  throw new FaultlineError(
    'failed_precondition',
    `answered [${dims.join(', ')}], where the card has ${labels} labels; correct the card`,
  );
}
