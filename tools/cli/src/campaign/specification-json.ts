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
  /** Empty: attacks search up to `maxScale`. */
  readonly ladder: { readonly early: readonly number[]; readonly never: readonly number[] };
  readonly maxScale: number | null;
  readonly goal: { readonly kind: string; readonly label: string; readonly k: number } | null;
  readonly attacks: readonly AttackJson[];
}

export interface AttackJson {
  /** In results. */
  readonly name: string;
  readonly attack: string;
  readonly steps: number;
  readonly restarts: number;
  readonly parameters: Readonly<Record<string, number | string>>;
}

export function specificationJson(from: score.CampaignSpecification | undefined): SpecificationJson | null {
  if (from === undefined) return null;
  const { victims, clips, seed, threatModels, writeBack } = from;
  return {
    victims,
    clips: { set: clips?.set ?? '', limit: clips?.limit ?? 0 },
    seed,
    threatModels: threatModels.map(threatModelJson),
    writeBack,
  };
}

function threatModelJson(model: attack.ThreatModel): ThreatModelJson {
  const scales = (stopping: attack.Stopping) =>
    model.rungs.filter((rung) => rung.stopping === stopping).map(({ scale }) => scale);
  const { goal } = model;
  return {
    name: model.name,
    norm: NORM_NAMES.find((name) => NORMS[name] === model.norm) ?? '',
    variables: Object.fromEntries(model.variables.map(({ variable, rho }) => [variable, rho])),
    relative: model.variables.filter(({ relative }) => relative).map(({ variable }) => variable),
    confined: model.variables.filter(({ region }) => region !== undefined).map(({ variable }) => variable),
    ladder: { early: scales(attack.Stopping.STOPPING_EARLY), never: scales(attack.Stopping.STOPPING_NEVER) },
    maxScale: model.maxScale ?? null,
    goal: goal === undefined ? null : { kind: goalName(goal.kind), label: goal.label, k: goal.k },
    attacks: [{ ...model, name: model.attackName }, ...model.furtherAttacks].map(attackJson),
  };
}

function attackJson({ name, attack: algorithm, steps, restarts, parameters }: attack.FurtherAttack): AttackJson {
  return {
    name: name === '' ? algorithm : name,
    attack: algorithm,
    steps,
    restarts,
    parameters: Object.fromEntries(
      parameters.flatMap(({ name: parameter, value }) => (value === undefined ? [] : [[parameter, value.value]])),
    ),
  };
}
