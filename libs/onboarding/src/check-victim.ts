import { inference } from '@faultline/contracts';
import { LocalVictim } from '@faultline/victim-local';
import { sampleInputs } from './sample-inputs.ts';

/** What of a victim works. */
export interface VictimCheck {
  /** Made-up examples that were predicted. */
  readonly examples: number;
  /** Range of their logits. */
  readonly least: number;
  readonly most: number;
  readonly gradient: 'white-box' | 'white-box with estimation' | 'black-box only';
  /** Why a variable is not white-box. */
  readonly reasons: readonly string[];
}

const EXAMPLES = 4;

const { GRADIENT_VERDICT_WHITE_BOX, GRADIENT_VERDICT_ESTIMATION } = inference.GradientVerdict;

/**
 * Loads a victim's folder as the inference service does, predicts, and tells what attacks may use.
 * @throws CardError, OnnxError when it cannot be loaded
 */
export async function checkVictim(folder: string): Promise<VictimCheck> {
  await using victim = await LocalVictim.fromFolder(folder);
  const { card, gradient } = await victim.describe();
  const { logits } = await victim.predict(sampleInputs(card.inputs, EXAMPLES));
  return {
    examples: EXAMPLES,
    least: Math.min(...logits.data),
    most: Math.max(...logits.data),
    gradient:
      gradient?.verdict === GRADIENT_VERDICT_WHITE_BOX
        ? 'white-box'
        : gradient?.verdict === GRADIENT_VERDICT_ESTIMATION
          ? 'white-box with estimation'
          : 'black-box only',
    reasons: (gradient?.variables ?? []).flatMap(({ variable, reason }) =>
      reason === '' ? [] : [`${variable}: ${reason}`],
    ),
  };
}
