import { attack, type score } from '@faultline/contracts';
import { NORM_NAMES, NORMS } from '../threat-model/threat-model.ts';

/** What a campaign measures, as `--json` prints it: the terms of a campaign file. */
export interface SpecificationJson {
  /** Empty: all. */
  readonly victims: readonly string[];
  /** `limit` 0: all; `set` "": the default set. */
  readonly clips: { readonly set: string; readonly limit: number };
  readonly seed: number;
  readonly threatModels: readonly ThreatModelJson[];
}

export interface ThreatModelJson {
  readonly name: string;
  readonly norm: string;
  /** rho of each variable. */
  readonly variables: Readonly<Record<string, number>>;
  /** Variables that may change in a region alone. */
  readonly confined: readonly string[];
  readonly ladder: { readonly early: readonly number[]; readonly never: readonly number[] };
  readonly attack: string;
  readonly steps: number;
  readonly restarts: number;
  readonly parameters: Readonly<Record<string, number | string>>;
}

export function specificationJson(from: score.CampaignSpecification | undefined): SpecificationJson | null {
  if (from === undefined) return null;
  const { victims, clips, seed, threatModels } = from;
  return {
    victims,
    clips: { set: clips?.set ?? '', limit: clips?.limit ?? 0 },
    seed,
    threatModels: threatModels.map(threatModelJson),
  };
}

function threatModelJson(model: attack.ThreatModel): ThreatModelJson {
  const scales = (stopping: attack.Stopping) =>
    model.rungs.filter((rung) => rung.stopping === stopping).map(({ scale }) => scale);
  return {
    name: model.name,
    norm: NORM_NAMES.find((name) => NORMS[name] === model.norm) ?? '',
    variables: Object.fromEntries(model.variables.map(({ variable, rho }) => [variable, rho])),
    confined: model.variables.filter(({ region }) => region !== undefined).map(({ variable }) => variable),
    ladder: { early: scales(attack.Stopping.STOPPING_EARLY), never: scales(attack.Stopping.STOPPING_NEVER) },
    attack: model.attack,
    steps: model.steps,
    restarts: model.restarts,
    parameters: Object.fromEntries(
      model.parameters.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value.value]])),
    ),
  };
}
