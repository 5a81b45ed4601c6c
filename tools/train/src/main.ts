import { readFile, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { ARCHITECTURES, type VictimSpec } from '@faultline/fusion';
import { trainingCurveSvg } from '@faultline/training';
import { parseCard } from '@faultline/victim';
import { type Arguments, commandOf, readArguments, USAGE } from './arguments.ts';
import { assemble } from './assemble.ts';
import { type KeptRun, keepRun, keptRun, readKeptRun, WEIGHTS_FILE } from './kept-run.ts';
import { exportedModel, firstBatches, type SwappedPrecision } from './labelled-set.ts';
import { loadMeasuringSets, type Measurement, type MeasuringSets, measure } from './measure.ts';
import { RECIPE } from './recipe.ts';
import { trainVictim } from './train-victim.ts';
import { CARD_FILE, MODEL_FILE, writeCard, writeVictim } from './write-victim.ts';

/** Batches of validation clips that the figures between epochs come from. */
const EPOCH_BATCHES = 12;

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const describeSwaps = ({ none, audio, visual }: SwappedPrecision): string =>
  [
    `mAP ${percent(none)}`,
    ...(audio === undefined ? [] : [`with another clip's sound ${percent(audio)}`]),
    ...(visual === undefined ? [] : [`with another clip's pictures ${percent(visual)}`]),
  ].join('; ');

function printMeasurement({ measured, swapped }: Measurement): void {
  for (const { split, clips, meanAveragePrecision, areaUnderCurve, dPrime } of measured.metrics) {
    const figures = `mAP ${percent(meanAveragePrecision)}  AUC ${areaUnderCurve.toFixed(3)}  d' ${dPrime.toFixed(2)}`;
    console.log(`  ${split} (${clips} clips): ${figures}`);
  }
  console.log(`  test ${describeSwaps(swapped)}`);
}

const SVG_FILE = 'training.svg';

/** One victim, as the command asks for it. */
interface Job {
  readonly options: Arguments;
  readonly spec: VictimSpec;
  readonly sets: MeasuringSets;
}

async function train({ options, spec, sets }: Job): Promise<KeptRun> {
  const run = await trainVictim({
    arguments: options,
    spec,
    validation: firstBatches(sets.validation, EPOCH_BATCHES),
    onResume: (step) => console.log(`continuing at step ${step}, from ${options.checkpoint}`),
    onProgress: ({ step, steps, loss, gradientNorm, remainingSeconds }) => {
      const left = `${Math.ceil(remainingSeconds)} s to go`;
      console.log(`step ${step}/${steps}  loss ${loss.toFixed(4)}  |g| ${gradientNorm.toFixed(2)}  ${left}`);
    },
    onEpoch: ({ step, validation }) => {
      console.log(`step ${step}: validation ${describeSwaps(validation)}`);
    },
  });
  const { weights, curve, step: bestStep, processorSeconds } = run;
  const steps = curve.at(-1)?.step ?? bestStep;
  const cost = {
    steps,
    clips: steps * RECIPE.batchSize,
    processorSeconds,
    processor: cpus()[0]?.model.trim() ?? 'an unknown processor',
    threads: options.threads,
  };
  return { weights, history: { command: commandOf(options), bestStep, curve, cost } };
}

async function putTogether({ options, spec }: Job, from: readonly string[]): Promise<KeptRun> {
  const parts = await Promise.all(from.map((name) => readKeptRun(keptRun(name, options.seed, WEIGHTS_FILE))));
  return assemble(spec, parts, commandOf(options));
}

async function make(job: Job): Promise<void> {
  const { options, spec, sets } = job;
  const { name, seed, out, threads, from } = options;
  const run = await (from === undefined ? train(job) : putTogether(job, from));
  const { weights, history } = run;
  await keepRun(keptRun(name, seed, WEIGHTS_FILE), run);
  const measurement = await measure(exportedModel(spec, weights), spec, sets, threads);
  await writeVictim(out, { name, spec, weights, measured: measurement.measured, provenance: provenanceOf(run) });
  if (history.curve.length > 0) {
    await writeFile(join(out, SVG_FILE), trainingCurveSvg(`${name}, seed ${seed}`, history.curve));
  }
  // The victim is written: the same command shall train anew.
  await rm(options.checkpoint, { force: true });
  console.log(`wrote ${out}`);
  printMeasurement(measurement);
}

function provenanceOf({ history: { command, bestStep, cost } }: KeptRun): string {
  const { steps, processorSeconds, processor } = cost;
  const taken = `${Math.round(processorSeconds)} processor seconds on ${processor}`;
  return `${command} (${bestStep === 0 ? '' : `weights of step ${bestStep} of ${steps}, `}${taken})`;
}

async function measureAgain({ options, spec, sets }: Job): Promise<void> {
  const { out, threads } = options;
  const card = parseCard(await readFile(join(out, CARD_FILE), 'utf8'));
  const model = await readFile(join(out, MODEL_FILE));
  const measurement = await measure(model, spec, sets, threads);
  const { labels, metrics, operatingPoint, logitScale } = measurement.measured;
  await writeCard(out, { ...card, labels: [...labels], metrics: [...metrics], operatingPoint, logitScale });
  printMeasurement(measurement);
}

/** Errors of use, told without a stack. */
const USE_ERRORS = new Set(['CheckpointError', 'ExecutionProviderError', 'OnnxError']);

function explained(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const isOption = 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  if (error instanceof RangeError || isOption) return `${error.message}\n${USAGE}`;
  return USE_ERRORS.has(error.name) ? error.message : error;
}

try {
  const options = readArguments(process.argv.slice(2));
  const spec = ARCHITECTURES[options.spec].laptop;
  const sets = await loadMeasuringSets(options.packDir, options.clipsDir, spec);
  await (options.measureOnly ? measureAgain : make)({ options, spec, sets });
} catch (error) {
  console.error(explained(error));
  process.exitCode = 2;
}
