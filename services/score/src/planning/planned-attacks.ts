import { attack } from '@faultline/contracts';
import type { AttackReport, KnowledgeName } from '@faultline/report';

/** One attack of a threat model, as the attack service is asked for it. */
export interface PlannedAttack {
  /** Name in results, unique under the threat model. */
  readonly name: string;
  readonly description: attack.AttackDescription;
  /** This attack alone; without rungs it searches. */
  readonly model: attack.ThreatModel;
}

/** A threat model with its attacks, and the noise that is measured beside them. */
export interface PlannedThreatModel {
  /** As it was asked for, with its seed. */
  readonly model: attack.ThreatModel;
  /** At least one. */
  readonly attacks: readonly PlannedAttack[];
  /** Random noise of equal norm, an entry a distribution; empty where it is not on offer. */
  readonly noises: readonly PlannedAttack[];
  /** The ladder's largest scale, or the search's bound; infinity without one. */
  readonly limit: number;
}

/** The attack that equal-norm noise is asked for by, and its parameter. */
export const NOISE_ATTACK = 'noise';
const DISTRIBUTION = 'distribution';

/** Distributions of noise that are measured, as far as the attack service has them. */
const DISTRIBUTIONS = ['signs', 'uniform', 'gaussian'] as const;

const { ATTACK_KIND_MINIMUM_NORM } = attack.AttackKind;

/** The attacks of a threat model with their names, the first one's fields included. */
export function namedAttacks(model: attack.ThreatModel): (attack.FurtherAttack & { readonly path: string })[] {
  const { attackName, attack: algorithm, steps, restarts, parameters, surrogate, furtherAttacks } = model;
  const first = { name: attackName, attack: algorithm, steps, restarts, parameters, surrogate };
  return [
    { ...first, path: '' },
    ...furtherAttacks.map((one, index) => ({ ...one, path: `.furtherAttacks[${index}]` })),
  ].map((one) => ({ ...one, name: one.name === '' ? one.attack : one.name }));
}

/** Plans a threat model whose attacks are all in the catalogue. */
export function plannedThreatModel(
  model: attack.ThreatModel,
  catalogue: readonly attack.AttackDescription[],
): PlannedThreatModel {
  const limit = model.rungs.at(-1)?.scale ?? model.maxScale ?? Number.POSITIVE_INFINITY;
  const alone = (
    one: Pick<attack.FurtherAttack, 'attack' | 'steps' | 'restarts' | 'parameters' | 'surrogate'>,
    searches: boolean,
  ) => ({
    ...model,
    ...one,
    attackName: '',
    furtherAttacks: [],
    rungs: searches ? [] : model.rungs,
    maxScale: searches && Number.isFinite(limit) ? limit : undefined,
  });
  const attacks = namedAttacks(model).flatMap(({ name, path: _, ...asked }) => {
    const description = catalogue.find((one) => one.name === asked.attack);
    if (description === undefined) return [];
    const searches = model.rungs.length === 0 || description.kind === ATTACK_KIND_MINIMUM_NORM;
    return [{ name, description, model: alone(asked, searches) }];
  });
  const noise = catalogue.find(({ name }) => name === NOISE_ATTACK);
  const restarts = Math.max(1, ...attacks.map((one) => one.model.restarts));
  const draw = { attack: NOISE_ATTACK, steps: 1, restarts, surrogate: '' };
  const noises = distributionsOf(noise).map((distribution) => ({
    name: distribution ?? NOISE_ATTACK,
    description: attack.AttackDescription.fromPartial(noise ?? {}),
    model: alone({ ...draw, parameters: distributionParameter(distribution) }, model.rungs.length === 0),
  }));
  return { model, attacks, noises, limit };
}

/** undefined: the one that the attack service has, which knows no distributions. */
function distributionsOf(noise: attack.AttackDescription | undefined): (string | undefined)[] {
  if (noise === undefined) return [];
  const type = noise.parameters.find(({ name }) => name === DISTRIBUTION)?.type;
  const offered = type?.$case === 'choice' ? DISTRIBUTIONS.filter((one) => type.value.values.includes(one)) : [];
  return offered.length === 0 ? [undefined] : offered;
}

function distributionParameter(distribution: string | undefined): attack.AttackParameter[] {
  return distribution === undefined ? [] : [{ name: DISTRIBUTION, value: { $case: 'choice', value: distribution } }];
}

/** Whether it looks for the smallest scale of each clip, instead of climbing the ladder. */
export const searches = ({ model }: PlannedAttack): boolean => model.rungs.length === 0;

const KNOWLEDGE: Readonly<Record<number, KnowledgeName>> = {
  [attack.AttackKnowledge.ATTACK_KNOWLEDGE_GRADIENTS]: 'gradients',
  [attack.AttackKnowledge.ATTACK_KNOWLEDGE_SCORES]: 'scores',
  [attack.AttackKnowledge.ATTACK_KNOWLEDGE_LABELS]: 'labels',
};

/** An attack as reports describe it. */
export function attackReport(planned: PlannedAttack): AttackReport {
  const { name, description, model } = planned;
  return {
    name,
    attack: model.attack,
    form: searches(planned) ? 'search' : 'ladder',
    knowledge: KNOWLEDGE[description.knowledge] ?? 'nothing',
    steps: model.steps,
    restarts: model.restarts,
    surrogate: model.surrogate === '' ? null : model.surrogate,
    parameters: Object.fromEntries(
      model.parameters.flatMap(({ name: parameter, value }) => (value === undefined ? [] : [[parameter, value.value]])),
    ),
  };
}

/** Queries of each clip and restart that an attack without gradients makes; undefined where it says nothing about them. */
export function queriesOf({ description, model }: PlannedAttack): number | undefined {
  const given = model.parameters.find(({ name }) => name === 'queries')?.value;
  if (given?.$case === 'number') return given.value;
  const type = description.parameters.find(({ name }) => name === 'queries')?.type;
  return type?.$case === 'number' ? type.value.defaultValue : undefined;
}
