import { type CatalogueRow, goalKinds, needsSurrogate } from '@faultline/attack-algorithms';
import { attack } from '@faultline/contracts';

const NORMS = {
  linf: attack.Norm.NORM_LINF,
  l2: attack.Norm.NORM_L2,
  l1: attack.Norm.NORM_L1,
  l0: attack.Norm.NORM_L0,
} as const satisfies Record<CatalogueRow['norms'][number], attack.Norm>;

const KINDS = {
  'fixed budget': attack.AttackKind.ATTACK_KIND_FIXED_BUDGET,
  'minimum norm': attack.AttackKind.ATTACK_KIND_MINIMUM_NORM,
  universal: attack.AttackKind.ATTACK_KIND_UNIVERSAL,
  baseline: attack.AttackKind.ATTACK_KIND_BASELINE,
} as const satisfies Record<CatalogueRow['kind'], attack.AttackKind>;

const KNOWLEDGE = {
  gradients: attack.AttackKnowledge.ATTACK_KNOWLEDGE_GRADIENTS,
  scores: attack.AttackKnowledge.ATTACK_KNOWLEDGE_SCORES,
  labels: attack.AttackKnowledge.ATTACK_KNOWLEDGE_LABELS,
  nothing: attack.AttackKnowledge.ATTACK_KNOWLEDGE_NOTHING,
} as const satisfies Record<CatalogueRow['knowledge'], attack.AttackKnowledge>;

type Specification = CatalogueRow['parameters'][string];

/** A row of the catalogue as a message. */
export function describeAttack(definition: CatalogueRow): attack.AttackDescription {
  const {
    name,
    summary,
    source,
    norms,
    mixes = [],
    kind,
    knowledge,
    parameters,
    mostVariables = 0,
    goals = [],
  } = definition;
  return {
    name,
    summary,
    source,
    norms: norms.map((norm) => NORMS[norm]),
    mixes: mixes.map((norm) => NORMS[norm]),
    kind: KINDS[kind],
    knowledge: KNOWLEDGE[knowledge],
    parameters: Object.entries(parameters).map(([parameter, specification]) => ({
      name: parameter,
      description: specification.description,
      type: typeOf(specification),
    })),
    mostVariables,
    goals: goalKinds(goals),
    needsSurrogate: needsSurrogate(definition),
    attacksTaps: definition.kind !== 'universal' && definition.attacksTaps === true,
  };
}

function typeOf(specification: Specification): attack.ParameterDescription['type'] {
  const defaultValue = specification.default;
  if (specification.type === 'choice') {
    return { $case: 'choice', value: { values: [...specification.values], defaultValue: String(defaultValue) } };
  }
  const { minimum, maximum, whole = false } = specification;
  return { $case: 'number', value: { minimum, maximum, defaultValue: Number(defaultValue), whole } };
}
