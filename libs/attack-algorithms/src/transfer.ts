import { attack, pickRows, type victim } from '@faultline/contracts';
import type { Tensors, Victim } from '@faultline/victim';
import { AttackRequestError, Faults } from './faults.ts';
import { deactivatesAll, deactivationMargins } from './fresh-margins.ts';
import type { AttackRun } from './request.ts';
import {
  type AttackEvent,
  type AttackOptions,
  ModelMismatchError,
  type RungCandidates,
  runAttack,
} from './run-attack.ts';

/** Who is asked for gradients, and who is to be deceived. */
export interface TransferVictims {
  readonly surrogate: Victim;
  readonly target: Victim;
}

/**
 * Transfer: crafts on a surrogate, and asks the target once for each candidate. Results carry the margins of the target; a clip is in a result
 * whether it transferred or not. The run's `modelSha256` pins the target. The cost counts the evaluations of both.
 * Source: Papernot et al. 2016, "Transferability in Machine Learning", arXiv 1605.07277, section 3; any attack that runs a ladder may craft.
 *
 * @throws AttackRequestError where the victims differ in inputs or labels, where the run is a search, or where a rung stops early: where the surrogate
 * falls first says nothing about the target; ModelMismatchError for another target than the pinned one; and what `runAttack` throws.
 */
export async function* transferAttack(
  { surrogate, target }: TransferVictims,
  run: AttackRun,
  options: AttackOptions = {},
): AsyncGenerator<AttackEvent> {
  const { signal } = options;
  const { card } = await target.describe({ signal });
  const { card: crafting } = await surrogate.describe({ signal });
  if (run.modelSha256 !== '' && run.modelSha256 !== card.sha256)
    throw new ModelMismatchError(`the run is pinned to model ${run.modelSha256} but the target holds ${card.sha256}`);
  checkTransfer(run, card, crafting);
  let asked = 0;
  for await (const event of runAttack(surrogate, { ...run, modelSha256: '' }, options)) {
    if (event.kind === 'result') {
      const { logits, cost } = await target.predict(candidateInputs(event.result, run), { signal });
      asked += cost.forwardExamples;
      yield {
        kind: 'result',
        result: { ...event.result, margins: deactivationMargins(logits.data, event.result.clips, run.targets, card) },
      };
    } else if (event.kind === 'cost') {
      const { forwardExamples, gradientExamples } = event.cost;
      yield { kind: 'cost', cost: { forwardExamples: forwardExamples + asked, gradientExamples } };
    } else yield event;
  }
}

function checkTransfer({ threatModel }: AttackRun, target: victim.Card, surrogate: victim.Card): void {
  const faults = new Faults();
  const inputsOf = ({ inputs }: victim.Card) => JSON.stringify(inputs.toSorted((a, b) => a.name.localeCompare(b.name)));
  const labelsOf = ({ labels }: victim.Card) => labels.map(({ label }) => label).join();
  const pair = `'${surrogate.name}' and '${target.name}'`;
  faults.unless(
    inputsOf(target) === inputsOf(surrogate),
    'inputs',
    `of ${pair} differ; craft on a victim with the same`,
  );
  faults.unless(
    labelsOf(target) === labelsOf(surrogate),
    'targets',
    `of ${pair} differ; craft on a victim with the same labels`,
  );
  const { rungs } = threatModel;
  faults.unless(
    deactivatesAll(threatModel),
    'threat_model.goal',
    'is another than to deactivate all; transfer takes that one alone',
  );
  faults.unless(
    rungs.length > 0,
    'threat_model.rungs',
    'is empty; a search on the surrogate says nothing about the target',
  );
  for (const [index, { stopping }] of rungs.entries()) {
    const never = stopping === attack.Stopping.STOPPING_NEVER;
    faults.unless(never, `threat_model.rungs[${index}].stopping`, 'stops early; use STOPPING_NEVER for transfer');
  }
  if (faults.any) throw new AttackRequestError(faults.violations);
}

/** Every input of the target for the rows of a result: crafted ones, and the clean ones of their clips. */
function candidateInputs({ clips, adversarial }: RungCandidates, { inputs }: AttackRun): Tensors {
  return new Map(Array.from(inputs, ([name, clean]) => [name, adversarial.get(name) ?? pickRows(clean, clips)]));
}
