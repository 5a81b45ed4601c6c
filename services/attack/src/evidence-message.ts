import type { ExampleEvidence } from '@faultline/attack-algorithms';
import type { attack } from '@faultline/contracts';

/** What loops told, as a message. */
export function evidenceMessage(examples: readonly ExampleEvidence[]): attack.AttackResponse {
  return { kind: { $case: 'evidence', value: { examples: examples.map(exampleMessage) } } };
}

function exampleMessage({ reached, path, bestByRestart, gradients, ...same }: ExampleEvidence): attack.ExampleEvidence {
  return {
    ...same,
    reachedRestart: reached?.restart,
    reachedStep: reached?.step,
    path: [...path],
    bestByRestart: [...bestByRestart],
    gradients: Array.from(gradients, ([variable, evidence]) => ({ variable, ...evidence })),
  };
}
