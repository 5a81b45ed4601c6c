import { parseArgs } from 'node:util';
import { VICTIM_NAMES, type VictimName } from '@faultline/fusion';
import { loadSet } from './labelled-set.ts';
import { measure } from './measure.ts';
import { RECIPE, trainVictim } from './train-victim.ts';
import { writeVictim } from './write-victim.ts';

const USAGE = `usage: npm run train -- --spec ${VICTIM_NAMES.join('|')} --seed N --pack DIR [--out DIR] [--threads N] [--steps N]`;

const DEFAULT_THREADS = 2;
const VALIDATION_CLIPS = 960;
const TEST_CLIPS = 960;
/** Apart from the training seeds, so that every victim is measured on the same clips. */
const MEASURING_SEED = 20_001;

interface Arguments {
  readonly name: VictimName;
  readonly seed: number;
  readonly packDir: string;
  readonly out: string;
  readonly threads: number;
  readonly steps: number;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      spec: { type: 'string' },
      seed: { type: 'string', default: '1' },
      pack: { type: 'string' },
      out: { type: 'string' },
      threads: { type: 'string', default: String(DEFAULT_THREADS) },
      steps: { type: 'string', default: String(RECIPE.steps) },
    },
  });
  const name = VICTIM_NAMES.find((known) => known === values.spec);
  if (name === undefined) throw new RangeError(`--spec is '${values.spec ?? ''}'; give ${VICTIM_NAMES.join(', ')}`);
  if (values.pack === undefined) throw new RangeError('--pack is missing; give the folder of the source pack');
  const wholeNumber = (option: 'seed' | 'threads' | 'steps', least: number): number => {
    const value = Number(values[option]);
    if (!Number.isInteger(value) || value < least) {
      throw new RangeError(`--${option} is '${values[option]}'; give a whole number from ${least}`);
    }
    return value;
  };
  return {
    name,
    packDir: values.pack,
    out: values.out ?? `zoo/victims/${name}`,
    seed: wholeNumber('seed', 0),
    threads: wholeNumber('threads', 1),
    steps: wholeNumber('steps', RECIPE.warmUpSteps + 1),
  };
}

const percent = (share: number | null): string => (share === null ? 'undefined' : `${(100 * share).toFixed(1)} %`);

async function main({ name, seed, packDir, out, threads, steps }: Arguments): Promise<void> {
  const sets = {
    validation: await loadSet(packDir, 'validation', VALIDATION_CLIPS, MEASURING_SEED),
    test: await loadSet(packDir, 'test', TEST_CLIPS, MEASURING_SEED),
  };
  const changed = steps === RECIPE.steps ? '' : ` --steps ${steps}`;
  const provenance = `npm run train -- --spec ${name} --seed ${seed} --threads ${threads}${changed} --pack DIR`;
  await trainVictim({
    name,
    seed,
    packDir,
    threads,
    steps,
    validation: sets.validation,
    onProgress: ({ step, loss, gradientNorm, elapsedMs }) => {
      const remaining = Math.round((elapsedMs / step) * (steps - step) * 1e-3);
      console.log(
        `step ${step}/${steps}  loss ${loss.toFixed(4)}  |g| ${gradientNorm.toFixed(2)}  ${remaining} s to go`,
      );
    },
    onEpoch: async ({ step, weights, validation }) => {
      console.log(`step ${step}: validation mAP ${percent(validation.meanAveragePrecision)}`);
      const { measured, swapped } = await measure(name, weights, sets, threads);
      await writeVictim(out, name, weights, { ...measured, provenance });
      const { none, audio, frames } = swapped;
      console.log(
        `  test mAP ${percent(none)}; with another clip's sound ${percent(audio)}, pictures ${percent(frames)}; in ${out}`,
      );
    },
  });
}

try {
  await main(readArguments());
} catch (error) {
  console.error(error instanceof RangeError ? `${error.message}\n${USAGE}` : error);
  process.exitCode = 2;
}
