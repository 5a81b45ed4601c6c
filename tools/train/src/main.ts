import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VICTIM_SPECS } from '@faultline/fusion';
import { parseCard } from '@faultline/victim';
import { type Arguments, readArguments, USAGE } from './arguments.ts';
import { exportedModel, firstBatches, type SwappedPrecision } from './labelled-set.ts';
import { loadMeasuringSets, type Measurement, type MeasuringSets, measure } from './measure.ts';
import { RECIPE, trainVictim } from './train-victim.ts';
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

async function train(options: Arguments, sets: MeasuringSets): Promise<void> {
  const { name, seed, out, threads, steps } = options;
  const spec = VICTIM_SPECS[name];
  const changed = steps === RECIPE.steps ? '' : ` --steps ${steps}`;
  const provenance = `npm run train -- --spec ${name} --seed ${seed} --threads ${threads}${changed} --pack DIR`;
  const weights = await trainVictim({
    ...options,
    validation: firstBatches(sets.validation, EPOCH_BATCHES),
    onProgress: ({ step, loss, gradientNorm, elapsedMs }) => {
      const remaining = Math.round((elapsedMs / step) * (steps - step) * 1e-3);
      console.log(
        `step ${step}/${steps}  loss ${loss.toFixed(4)}  |g| ${gradientNorm.toFixed(2)}  ${remaining} s to go`,
      );
    },
    onEpoch: ({ step, validation }) => {
      console.log(`step ${step}: validation ${describeSwaps(validation)}`);
    },
  });
  const measurement = await measure(exportedModel(spec, weights), spec, sets, threads);
  await writeVictim(out, { name, weights, measured: measurement.measured, provenance });
  console.log(`wrote ${out}`);
  printMeasurement(measurement);
}

async function measureAgain({ name, out, threads }: Arguments, sets: MeasuringSets): Promise<void> {
  const card = parseCard(await readFile(join(out, CARD_FILE), 'utf8'));
  const model = await readFile(join(out, MODEL_FILE));
  const measurement = await measure(model, VICTIM_SPECS[name], sets, threads);
  const { labels, metrics, operatingPoint, logitScale } = measurement.measured;
  await writeCard(out, { ...card, labels: [...labels], metrics: [...metrics], operatingPoint, logitScale });
  printMeasurement(measurement);
}

try {
  const options = readArguments(process.argv.slice(2));
  const sets = await loadMeasuringSets(options.packDir, options.clipsDir, VICTIM_SPECS[options.name]);
  await (options.measureOnly ? measureAgain : train)(options, sets);
} catch (error) {
  console.error(error instanceof RangeError ? `${error.message}\n${USAGE}` : error);
  process.exitCode = 2;
}
