import { catalogue } from '@faultline/attack-algorithms';
import type { victim } from '@faultline/contracts';
import { UsageError } from '../exit-code.ts';
import { GOAL_NAMES, type NormName, type ThreatModelInput, threatModelSchema } from './threat-model.ts';

/** The threat model as the options of `faultline attack` say it. */
export interface AttackOptions {
  readonly attack: string;
  readonly norm: NormName;
  /** "waveform", "waveform=0.001" with the budget at scale 1, or "audio.log-mel=5%" with one that is a share of the clean value. */
  readonly variable?: readonly string[];
  /** Budgets of one variable without "=", scales otherwise. Of a search the largest of them is its bound. */
  readonly epsilon?: readonly number[];
  /** True: no ladder, a search for the smallest budget of each clip. Attacks of minimum norm do nothing else. */
  readonly search?: boolean;
  /** Of one perturbation for all clips: which of them craft, "stratum=seen" or "share=0.5"; the others test. Default: the service's. */
  readonly craft?: string;
  /** Of transfer: the victim that it crafts on. */
  readonly surrogate?: string;
  /** What the attack wants of the labels, in the words of campaign files: "deactivate-one", "targeted=LABEL", "top-k=3". Default: every true label off. */
  readonly goal?: string;
  readonly steps: number;
  readonly restarts: number;
  /** "step_scale=1.5" */
  readonly parameter?: readonly string[];
  /** Forms in which examples are written as media files. Then attacks do all their steps, for one that stops at success leaves nothing to lose. */
  readonly codec: readonly string[];
}

/** Of the whole input: options name no regions. */
export type AskedThreatModel = ThreatModelInput & {
  readonly variables: Readonly<Record<string, number | { readonly relative: number }>>;
  readonly attack: string;
};

/** Each variable's budget at scale 1, relative ones as shares. */
export const rhosOf = ({ variables }: AskedThreatModel): Record<string, number> =>
  Object.fromEntries(
    Object.entries(variables).map(([name, one]) => [name, typeof one === 'number' ? one : one.relative]),
  );

type InputKind = 'waveform' | 'frames';

/** Budgets at scale 1 that are worth trying first: those of the main job, campaigns/quick.yaml. */
const USUAL_RHO: Partial<Record<NormName, Readonly<Record<InputKind, number>>>> = {
  linf: { waveform: 0.0008, frames: 0.005 },
  l2: { waveform: 0.08, frames: 0.8 },
};

/** From next to nothing to next to everything, a factor of two apart. */
const USUAL_SCALES = [0.125, 0.25, 0.5, 1, 2, 4, 8, 16];

/** Of one perturbation for all clips, which needs more; each budget is crafted by itself. */
const UNIVERSAL_SCALES = [4, 16];

interface Variable {
  readonly name: string;
  readonly rho: number | undefined;
  /** True: rho is a share of the clean value. */
  readonly isRelative: boolean;
}

/**
 * The threat model that options ask for; what they leave open follows from the inputs that all victims have.
 * @throws UsageError that names the option and the remedy.
 */
export function threatModelOf(options: AttackOptions, cards: readonly victim.Card[]): AskedThreatModel {
  const { norm, attack, steps, restarts } = options;
  const variables = options.variable === undefined ? [usualVariable(cards)] : options.variable.map(parseVariable);
  const [only, ...others] = variables;
  const kind = catalogue.get(attack)?.kind;
  if (kind === 'universal' && options.search === true) {
    throw new UsageError(`--search: ${attack} crafts one perturbation for all clips within budgets; give --epsilon`);
  }
  const searches = options.search === true || kind === 'minimum norm';
  // A single variable without "=": the budgets are epsilons, in its unit.
  const isSingle = only !== undefined && others.length === 0 && only.rho === undefined;
  const plain = isSingle && (searches || options.epsilon !== undefined);
  const usual = kind === 'universal' ? UNIVERSAL_SCALES : USUAL_SCALES;
  const scales = [...new Set(options.epsilon ?? usual)].sort((a, b) => a - b);
  const allSteps = kind === 'universal' || options.codec.length > 0;
  const goal = options.goal === undefined ? undefined : parseGoal(options.goal);
  const parts = [norm, ...variables.map(({ name }) => name), ...(goal === undefined ? [] : [goal.kind])];
  const model = {
    name: parts
      .join('-')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-'),
    norm,
    variables: Object.fromEntries(
      variables.map(({ name, rho, isRelative }) => {
        const budget = plain ? 1 : (rho ?? usualRho(name, norm, cards));
        return [name, isRelative ? { relative: budget } : budget];
      }),
    ),
    ...(goal === undefined ? {} : { goal }),
    ...(searches ? boundOf(options) : { ladder: allSteps ? { never: scales } : { early: scales } }),
    ...(options.craft === undefined ? {} : { craft: parseCraft(options.craft) }),
    attack,
    ...(options.surrogate === undefined ? {} : { surrogate: options.surrogate }),
    steps,
    restarts,
    parameters: Object.fromEntries((options.parameter ?? []).map(parseParameter)),
  };
  const checked = threatModelSchema.safeParse(model);
  if (checked.success) return model;
  const faults = checked.error.issues.map(({ path, message }) => `${optionOf(String(path[0]))}: ${message}`);
  throw new UsageError([...new Set(faults)].join('\n'));
}

/** How far a search goes: nowhere ended where nothing is said. */
const boundOf = ({ epsilon }: AttackOptions) => (epsilon === undefined ? {} : { maxScale: Math.max(...epsilon) });

/** Option behind a field of a threat model. */
export const optionOf = (field: string): string => OPTIONS[field] ?? field;

const OPTIONS: Readonly<Record<string, string>> = {
  variables: '--variable',
  ladder: '--epsilon',
  rungs: '--epsilon',
  maxScale: '--epsilon',
  norm: '--norm',
  goal: '--goal',
  craft: '--craft',
  surrogate: '--surrogate',
  attack: '--attack',
  steps: '--steps',
  restarts: '--restarts',
  parameters: '--parameter',
  seed: '--seed',
};

/** The sound, for a perturbed waveform can be played to a victim; of victims that hear nothing, what they see. */
function usualVariable(cards: readonly victim.Card[]): Variable {
  const [first, ...others] = cards;
  const common = (first?.inputs ?? []).filter(({ name }) => others.every((card) => inputOf(card, name) !== undefined));
  const chosen = common.find(({ kind }) => kind?.$case === 'waveform') ?? common[0];
  if (chosen === undefined) {
    throw new UsageError('the victims have no input in common; attack one at a time: --victim NAME');
  }
  return { name: chosen.name, rho: undefined, isRelative: false };
}

function usualRho(variable: string, norm: NormName, cards: readonly victim.Card[]): number {
  const kinds = new Set(cards.map((card) => inputOf(card, variable)?.kind?.$case));
  const [kind] = kinds;
  if (kind === undefined) {
    const named = (of: (card: victim.Card) => readonly { readonly name: string }[]) =>
      [...new Set(cards.flatMap((card) => of(card).map(({ name }) => name)))].join(', ');
    const [inputs, taps] = [named((card) => card.inputs), named((card) => card.taps)];
    if (cards.some((card) => card.taps.some(({ name }) => name === variable))) {
      const ways = `--variable ${variable}=RHO in its own unit, --variable ${variable}=5% of the clean value, or --epsilon`;
      throw new UsageError(`there is no usual budget of the tap ${variable}; give ${ways}`);
    }
    const known = `${inputs}; taps: ${taps || 'none'}`;
    throw new UsageError(`--variable: no victim has an input or tap ${variable}; there are inputs: ${known}`);
  }
  const usual = USUAL_RHO[norm]?.[kind];
  if (usual !== undefined && kinds.size === 1) return usual;
  const remedy = `say which with --variable ${variable}=RHO, the budget at scale 1`;
  throw new UsageError(`there is no usual budget of ${variable} in norm ${norm}; ${remedy}, or --epsilon`);
}

const inputOf = ({ inputs }: victim.Card, variable: string): victim.InputSpecification | undefined =>
  inputs.find(({ name }) => name === variable);

function parseVariable(text: string): Variable {
  const [name = '', value] = splitAt(text);
  if (name === '') throw new UsageError(`--variable: "${text}" names no input; give NAME, NAME=RHO or NAME=SHARE%`);
  if (value === undefined) return { name, rho: undefined, isRelative: false };
  const isRelative = value.endsWith('%');
  const number = isRelative ? value.slice(0, -1) : value;
  const rho = isRelative ? Number(number) / 100 : Number(number);
  if (!(rho > 0) || number.trim() === '')
    throw new UsageError(`--variable: ${text}: the budget must be a number above 0, or a share like 5%`);
  return { name, rho, isRelative };
}

type GoalInput = NonNullable<ThreatModelInput['goal']>;

/** "top-k" alone is untargeted: k = 1. */
function parseGoal(text: string): GoalInput {
  const [name = '', value] = splitAt(text);
  const kind = GOAL_NAMES.find((known) => known === name);
  if (kind === undefined) {
    throw new UsageError(
      `--goal: "${text}" is none of ${GOAL_NAMES.join(', ')}; the label or k follows: targeted=LABEL, top-k=3`,
    );
  }
  if (kind !== 'top-k') return value === undefined ? { kind } : { kind, label: value };
  const k = value === undefined ? 1 : Number(value);
  if (!Number.isInteger(k) || k < 1) throw new UsageError(`--goal: top-k=${value}: give a whole number from 1 up`);
  return { kind, k };
}

function parseCraft(text: string): NonNullable<ThreatModelInput['craft']> {
  const [choice = '', value = ''] = splitAt(text);
  if (choice === 'stratum' && value !== '') return { stratum: value };
  const share = Number(value);
  if (choice === 'share' && share > 0 && share < 1) return { share };
  throw new UsageError(`--craft: "${text}" is neither stratum=NAME nor share=S, above 0 and below 1`);
}

function parseParameter(text: string): [string, number | string] {
  const [name = '', value = ''] = splitAt(text);
  if (name === '' || value === '') throw new UsageError(`--parameter: "${text}" is not NAME=VALUE`);
  const number = Number(value);
  return [name, Number.isNaN(number) ? value : number];
}

/** "a=b" as ["a", "b"], "a" as ["a"]. */
function splitAt(text: string): string[] {
  const at = text.indexOf('=');
  return at < 0 ? [text.trim()] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}
