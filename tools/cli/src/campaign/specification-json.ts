import { attack, type score } from '@faultline/contracts';
import { goalName, NORM_NAMES, NORMS } from '../threat-model/threat-model.ts';

/** What a campaign measures, as `--json` prints it: the terms of a campaign file. */
export interface SpecificationJson {
  /** Empty: all. */
  readonly victims: readonly string[];
  /** `limit` 0: all; `set` "": the default set. */
  readonly clips: { readonly set: string; readonly limit: number };
  readonly seed: number;
  readonly threatModels: readonly ThreatModelJson[];
  /** Whether adversarial tensors are kept. */
  readonly keepAdversarial: boolean;
  /** Forms in which examples are written as media files and scored again. */
  readonly writeBack: readonly string[];
}

export interface ThreatModelJson {
  readonly name: string;
  readonly norm: string;
  /** rho of each variable. */
  readonly variables: Readonly<Record<string, number>>;
  /** Variables whose rho is a share of the clean value. */
  readonly relative: readonly string[];
  /** Variables that may change in a region alone. */
  readonly confined: readonly string[];
  /** What else their budgets say, region included, in protobuf JSON; variables that say nothing else are not in it. */
  readonly own: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Empty: attacks search up to `maxScale`. */
  readonly ladder: { readonly early: readonly number[]; readonly never: readonly number[] };
  readonly maxScale: number | null;
  readonly goal: { readonly kind: string; readonly label: string; readonly k: number } | null;
  readonly attacks: readonly AttackJson[];
  /** Which clips a universal perturbation is crafted on; null: nothing is said. */
  readonly craft: { readonly stratum: string } | { readonly share: number } | null;
  /** 0: that of the campaign. */
  readonly seed: number;
}

export interface AttackJson {
  /** In results. */
  readonly name: string;
  readonly attack: string;
  readonly steps: number;
  readonly restarts: number;
  readonly parameters: Readonly<Record<string, number | string>>;
  /** Of transfer: the victim that it crafts on. */
  readonly surrogate: string | null;
}

/** What is left of a message without the fields that are told: a field of the contract that nobody tells does not compile. */
type Nothing = Readonly<Record<string, never>>;

/** A specification but for its name, which is the campaign's. */
export function specificationJson(from: score.CampaignSpecification | undefined): SpecificationJson | null {
  if (from === undefined) return null;
  const { name: _, victims, clips, seed, threatModels, keepAdversarial, writeBack, ...untold } = from;
  untold satisfies Nothing;
  return {
    victims,
    clips: { set: clips?.set ?? '', limit: clips?.limit ?? 0 },
    seed,
    threatModels: threatModels.map(threatModelJson),
    keepAdversarial,
    writeBack,
  };
}

function threatModelJson(model: attack.ThreatModel): ThreatModelJson {
  const { name, norm, variables, rungs, maxScale, goal, craft, seed, attackName, furtherAttacks, ...rest } = model;
  const { attack: algorithm, steps, restarts, parameters, surrogate, ...untold } = rest;
  untold satisfies Nothing;
  const scales = (stopping: attack.Stopping) =>
    rungs.filter((rung) => rung.stopping === stopping).map(({ scale }) => scale);
  const first = { name: attackName, attack: algorithm, steps, restarts, parameters, surrogate };
  return {
    name,
    norm: NORM_NAMES.find((known) => NORMS[known] === norm) ?? '',
    variables: Object.fromEntries(variables.map(({ variable, rho }) => [variable, rho])),
    relative: variables.filter(({ relative }) => relative).map(({ variable }) => variable),
    confined: variables.filter(({ region }) => region !== undefined).map(({ variable }) => variable),
    own: Object.fromEntries(variables.flatMap(ownJson)),
    ladder: { early: scales(attack.Stopping.STOPPING_EARLY), never: scales(attack.Stopping.STOPPING_NEVER) },
    maxScale: maxScale ?? null,
    goal: goal === undefined ? null : { kind: goalName(goal.kind), label: goal.label, k: goal.k },
    attacks: [first, ...furtherAttacks].map(attackJson),
    craft: craftJson(craft),
    seed,
  };
}

function ownJson(budget: attack.VariableBudget): [string, Readonly<Record<string, unknown>>][] {
  const plain = { ...budget, variable: '', rho: 0, relative: false };
  const own = Object.entries(Object(attack.VariableBudget.toJSON(plain)));
  return own.length === 0 ? [] : [[budget.variable, Object.fromEntries(own)]];
}

function craftJson(craft: attack.CraftingSplit | undefined): ThreatModelJson['craft'] {
  const choice = craft?.choice;
  if (choice === undefined) return null;
  return choice.$case === 'stratum' ? { stratum: choice.value } : { share: choice.value };
}

function attackJson(from: attack.FurtherAttack): AttackJson {
  const { name, attack: algorithm, steps, restarts, parameters, surrogate, ...untold } = from;
  untold satisfies Nothing;
  return {
    name: name === '' ? algorithm : name,
    attack: algorithm,
    steps,
    restarts,
    parameters: Object.fromEntries(
      parameters.flatMap(({ name: parameter, value }) => (value === undefined ? [] : [[parameter, value.value]])),
    ),
    surrogate: surrogate === '' ? null : surrogate,
  };
}
