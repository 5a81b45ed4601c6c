import { readFile, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { VICTIM_SPECS } from '@faultline/fusion';
import { trainingCurveSvg } from '@faultline/training';
import { parseCard } from '@faultline/victim';
import { type Arguments, commandOf, readArguments, USAGE } from './arguments.ts';
import { exportedModel, firstBatches, type SwappedPrecision } from './labelled-set.ts';
import { loadMeasuringSets, type Measurement, type MeasuringSets, measure } from './measure.ts';
import { trainVictim } from './train-victim.ts';
import { CARD_FILE, MODEL_FILE, writeCard, writeVictim } from './write-victim.ts';

/** Batches of validation clips that the figures between epochs come from. */
const EPOCH_BATCHES = 12;

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const describeSwaps = ({ none, audio, frames }: SwappedPrecision): string =>
  `mAP ${percent(none)}; with another clip's sound ${percent(audio)}, with its pictures ${percent(frames)}`;

function printMeasurement({ measured, swapped }: Measurement): void {
  for (const { split, clips, meanAveragePrecision, areaUnderCurve, dPrime } of measured.metrics) {
    const figures = `mAP ${percent(meanAveragePrecision)}  AUC ${areaUnderCurve.toFixed(3)}  d' ${dPrime.toFixed(2)}`;
    console.log(`  ${split} (${clips} clips): ${figures}`);
  }
  console.log(`  test ${describeSwaps(swapped)}`);
}

const SVG_FILE = 'training.svg';

async function train(options: Arguments, sets: MeasuringSets): Promise<void> {
  const { name, seed, out, threads } = options;
  const spec = VICTIM_SPECS[options.spec];
  const run = await trainVictim({
    arguments: options,
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
  const { weights, curve, step, seconds } = run;
  const measurement = await measure(exportedModel(spec, weights), spec, sets, threads);
  const cost = `weights of step ${step} of ${curve.at(-1)?.step ?? step}, ${Math.round(seconds)} s on ${cpuName()}`;
  const provenance = `${commandOf(options)} (${cost})`;
  await writeVictim(out, { name, spec: options.spec, weights, measured: measurement.measured, provenance });
  await writeFile(join(out, SVG_FILE), trainingCurveSvg(`${name}, seed ${seed}`, curve));
  // The victim is written: the same command shall train anew.
  await rm(options.checkpoint, { force: true });
  console.log(`wrote ${out}`);
  printMeasurement(measurement);
}

const cpuName = (): string => cpus()[0]?.model.trim() ?? 'an unknown processor';

async function measureAgain({ spec, out, threads }: Arguments, sets: MeasuringSets): Promise<void> {
  const card = parseCard(await readFile(join(out, CARD_FILE), 'utf8'));
  const model = await readFile(join(out, MODEL_FILE));
  const measurement = await measure(model, VICTIM_SPECS[spec], sets, threads);
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
  const sets = await loadMeasuringSets(options.packDir, options.clipsDir, VICTIM_SPECS[options.spec]);
  await (options.measureOnly ? measureAgain : train)(options, sets);
} catch (error) {
  console.error(explained(error));
  process.exitCode = 2;
}
