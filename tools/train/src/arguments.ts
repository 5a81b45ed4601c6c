import { parseArgs } from 'node:util';
import { ARCHITECTURE_NAMES, type ArchitectureName } from '@faultline/fusion';
import { EXECUTION_PROVIDERS } from '@faultline/ort';
import { DECAYS } from '@faultline/training';
import { CHECKPOINT_FILE, keptRun, RUNS_DIR } from './kept-run.ts';
import { RUN_DEFAULTS, type RunOptions } from './recipe.ts';

/** Numbers that may be given: the option's name, its place, the least and the largest value. */
const NUMBERS = [
  ['steps', 'steps', 'whole', 1],
  ['moment-steps', 'momentSteps', 'whole', 0],
  ['moment-learning-rate', 'momentLearningRate', 'real', Number.MIN_VALUE],
  ['learning-rate', 'learningRate', 'real', Number.MIN_VALUE],
  ['warm-up', 'warmUp', 'whole', 0],
  ['weight-decay', 'weightDecay', 'real', 0],
  ['clip-norm', 'clipNorm', 'real', Number.MIN_VALUE],
  ['mixup', 'mixup', 'real', 0],
  ['patience', 'patience', 'whole', 0],
  ['adversarial-steps', 'adversarialSteps', 'whole', 0],
  ['adversarial-share', 'adversarialShare', 'real', Number.MIN_VALUE],
  ['epsilon-waveform', 'epsilonWaveform', 'real', 0],
  ['epsilon-frames', 'epsilonFrames', 'real', 0],
  ['gradient-penalty', 'gradientPenalty', 'real', 0],
  ['orthogonality', 'orthogonality', 'real', 0],
  ['margin', 'margin', 'real', 0],
] as const satisfies readonly (readonly [string, keyof RunOptions, 'whole' | 'real', number])[];

const SWITCHES = [
  ['spec-augment', 'specAugment'],
  ['balanced', 'balanced'],
] as const satisfies readonly (readonly [string, keyof RunOptions])[];

const CHOICES = [
  ['decay', 'decay', DECAYS],
  ['provider', 'provider', EXECUTION_PROVIDERS],
] as const satisfies readonly (readonly [string, keyof RunOptions, readonly string[]])[];

/** The seed of the victims that ship: theirs is the folder of the name. */
const SHIPPED_SEED = 1;

export const USAGE = `usage: npm run train -- --spec NAME --pack DIR|--data DIR [options]
  --spec NAME             architecture: ${ARCHITECTURE_NAMES.join(' ')}
  --pack DIR              source pack of sounds and pictures: training clips are composed from it without end
  --data DIR              built or imported set, to measure on, and without --pack to train on (without --data: the clips that the set builder makes of the pack)
  --seed N                first weights and all that is drawn (1)
  --name NAME             name of the victim (that of the spec)
  --clips DIR             labelled test clips to measure on (zoo/clips)
  --from AUDIO,VISUAL     train nothing; put a decision victim together from the kept weights of two that were trained with this seed
  --init NAME,...         begin with the kept weights of victims that were trained with this seed, wherever name and shape agree
  --out DIR               folder of the victim (seed ${SHIPPED_SEED}: zoo/victims/NAME, others: ${RUNS_DIR}/NAME-seed-N)
  --threads N             threads of the runtime (2)
  --provider NAME         ${EXECUTION_PROVIDERS.join('|')}: what computes (cpu)
  --checkpoint FILE       where a run that ends early continues (${RUNS_DIR}/NAME-seed-N.checkpoint)
  --checkpoint-every N    steps between checkpoints (200)
  --restart               begin anew, whatever the checkpoint holds
  --kept                  train nothing; write the victim of the weights that an earlier run kept
  --measure-only          train nothing; measure the victim in its folder again and renew its card
optimisation
  --steps N               (${RUN_DEFAULTS.steps})     --learning-rate R  peak (${RUN_DEFAULTS.learningRate})
  --warm-up N             steps (${RUN_DEFAULTS.warmUp}) --decay ${DECAYS.join('|')}  after it (${RUN_DEFAULTS.decay})
  --weight-decay R        of matrices (${RUN_DEFAULTS.weightDecay})  --clip-norm R  largest gradient norm (${RUN_DEFAULTS.clipNorm})
  --moment-steps N        steps before those, on single moments of clips: many more pictures for the same work (${RUN_DEFAULTS.momentSteps});
                          --moment-learning-rate R  their peak (${RUN_DEFAULTS.momentLearningRate})
  --patience N            stop after N epochs without a better validation mAP, keep the best weights (0: never)
data
  --spec-augment          mask times and bands of the log-mel
  --mixup A               blend clips, share from Beta(A, A) (0: off)
  --balanced              draw every label equally often
defences
  --adversarial-steps N   train on PGD of N steps (0: off), on this share of a batch: --adversarial-share R (${RUN_DEFAULTS.adversarialShare})
  --gradient-penalty R    weight of the loss's growth under a perturbation (0: off)
  --epsilon-waveform R    budgets of both, amplitude in [-1, 1] (${RUN_DEFAULTS.epsilonWaveform})
  --epsilon-frames R      pixels in [0, 1] (${RUN_DEFAULTS.epsilonFrames.toPrecision(3)})
  --orthogonality R, --margin R  weights of orthogonal branch heads and of the smaller branch's margin (0: off)`;

const DEFAULT_THREADS = 2;
const DEFAULT_CHECKPOINT_STEPS = 200;

export interface Arguments {
  readonly spec: ArchitectureName;
  readonly name: string;
  readonly seed: number;
  /** At least one of the two is given. Clips are composed from a pack, or come from a set. */
  readonly packDir: string | undefined;
  readonly dataDir: string | undefined;
  readonly clipsDir: string;
  /** Names of the victims to put together, in place of training. */
  readonly from: readonly [audio: string, visual: string] | undefined;
  /** Names of the victims whose kept weights a training begins with. */
  readonly init: readonly string[];
  readonly out: string;
  readonly threads: number;
  readonly checkpoint: string;
  readonly checkpointSteps: number;
  readonly restart: boolean;
  /** The weights are those of an earlier run. */
  readonly kept: boolean;
  readonly measureOnly: boolean;
  readonly run: RunOptions;
}

const text = (fallback: string) => ({ type: 'string', default: fallback }) as const;
const flag = { type: 'boolean', default: false } as const;

/** @throws RangeError that names the option, its value and what to give. */
export function readArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...Object.fromEntries(NUMBERS.map(([option, key]) => [option, text(String(RUN_DEFAULTS[key]))])),
      ...Object.fromEntries(CHOICES.map(([option, key]) => [option, text(RUN_DEFAULTS[key])])),
      ...Object.fromEntries(SWITCHES.map(([option]) => [option, flag])),
      spec: { type: 'string' },
      name: { type: 'string' },
      seed: text('1'),
      pack: { type: 'string' },
      data: { type: 'string' },
      clips: text('zoo/clips'),
      from: { type: 'string' },
      init: { type: 'string' },
      out: { type: 'string' },
      threads: text(String(DEFAULT_THREADS)),
      checkpoint: { type: 'string' },
      'checkpoint-every': text(String(DEFAULT_CHECKPOINT_STEPS)),
      restart: flag,
      kept: flag,
      'measure-only': flag,
    },
  });
  const given: Readonly<Record<string, string | boolean | undefined>> = values;
  const word = (option: string): string | undefined => {
    const value = given[option];
    return typeof value === 'string' ? value : undefined;
  };
  const spec = ARCHITECTURE_NAMES.find((known) => known === word('spec'));
  if (spec === undefined)
    throw new RangeError(`--spec is '${word('spec') ?? ''}'; give ${ARCHITECTURE_NAMES.join(', ')}`);
  const packDir = word('pack');
  const dataDir = word('data');
  if (packDir === undefined && dataDir === undefined) {
    throw new RangeError('--pack and --data are missing; give the folder of a source pack, or of a set');
  }
  const number = (option: string, kind: 'whole' | 'real', least: number): number => {
    const value = word(option)?.trim() === '' ? Number.NaN : Number(word(option));
    if (Number.isFinite(value) && value >= least && (kind === 'real' || Number.isInteger(value))) return value;
    const wanted =
      least === Number.MIN_VALUE ? 'number above 0' : `${kind === 'whole' ? 'whole ' : ''}number from ${least}`;
    throw new RangeError(`--${option} is '${word(option)}'; give a ${wanted}`);
  };
  const choices = CHOICES.map(([option, key, known]) => {
    const value = known.find((candidate: string) => candidate === word(option));
    if (value === undefined) throw new RangeError(`--${option} is '${word(option)}'; give ${known.join(', ')}`);
    return [key, value];
  });
  const name = word('name') ?? spec;
  const seed = number('seed', 'whole', 0);
  return {
    spec,
    name,
    seed,
    packDir,
    dataDir,
    clipsDir: word('clips') ?? '',
    from: readParts(word('from'), spec),
    init: readNames(word('init')),
    out: word('out') ?? (seed === SHIPPED_SEED ? `zoo/victims/${name}` : keptRun(name, seed, '')),
    threads: number('threads', 'whole', 1),
    checkpoint: word('checkpoint') ?? keptRun(name, seed, CHECKPOINT_FILE),
    checkpointSteps: number('checkpoint-every', 'whole', 1),
    restart: given.restart === true,
    kept: given.kept === true,
    measureOnly: given['measure-only'] === true,
    run: {
      ...RUN_DEFAULTS,
      ...Object.fromEntries(NUMBERS.map(([option, key, kind, least]) => [key, number(option, kind, least)])),
      ...Object.fromEntries(SWITCHES.map(([option, key]) => [key, given[option] === true])),
      ...Object.fromEntries(choices),
    },
  };
}

function readParts(given: string | undefined, spec: ArchitectureName): Arguments['from'] {
  if (given === undefined) return undefined;
  const [audio = '', visual = '', more] = given.split(',');
  if (audio === '' || visual === '' || more !== undefined) {
    throw new RangeError(
      `--from is '${given}'; give the names of two victims, one that hears and one that sees: audio,visual`,
    );
  }
  if (spec !== 'decision') throw new RangeError(`--from puts a decision victim together; --spec is '${spec}'`);
  return [audio, visual];
}

function readNames(given = ''): readonly string[] {
  const names = given === '' ? [] : given.split(',');
  if (names.includes('')) throw new RangeError(`--init is '${given}'; give names of victims: audio,visual`);
  return names;
}

/** The command that makes the victim again: seed, threads and every option that is not at its default. */
export function commandOf(given: Arguments): string {
  const { spec, name, seed, threads, packDir, dataDir, from, init, run } = given;
  const changed = [
    ...NUMBERS.flatMap(([option, key]) => (run[key] === RUN_DEFAULTS[key] ? [] : [`--${option} ${run[key]}`])),
    ...CHOICES.flatMap(([option, key]) => (run[key] === RUN_DEFAULTS[key] ? [] : [`--${option} ${run[key]}`])),
    ...SWITCHES.flatMap(([option, key]) => (run[key] ? [`--${option}`] : [])),
  ];
  const named = name === spec ? [] : [`--name ${name}`];
  const parts = from === undefined ? [] : [`--from ${from.join()}`];
  return [
    'npm run train --',
    `--spec ${spec}`,
    ...named,
    `--seed ${seed} --threads ${threads}`,
    ...parts,
    ...(init.length === 0 ? [] : [`--init ${init.join()}`]),
    ...changed,
    ...(packDir === undefined ? [] : ['--pack DIR']),
    ...(dataDir === undefined ? [] : ['--data DIR']),
  ].join(' ');
}
