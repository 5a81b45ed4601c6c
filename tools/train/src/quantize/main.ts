import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { victim } from '@faultline/contracts';
import { openSet } from '@faultline/dataset';
import { ARCHITECTURES, type VictimSpec } from '@faultline/fusion';
import { decodeModel, encodeModel, modelOf } from '@faultline/onnx';
import type { Feeds } from '@faultline/ort';
import { CardError, parseCard } from '@faultline/victim';
import { feedsOf, inputsOf } from '../labelled-set.ts';
import { measure } from '../measure.ts';
import { loadMeasuringSets, type MeasuringSets } from '../measuring-sets.ts';
import { measuringSetOf } from '../pack-set.ts';
import { CARD_FILE, MODEL_FILE, writeCard } from '../write-victim.ts';
import { type Arguments, commandOf, readArguments, USAGE } from './arguments.ts';
import { latencies } from './latency.ts';
import { quantizeVictim } from './quantize-victim.ts';
import { quantizedCard } from './quantized-card.ts';

/** The most clean mAP that quantisation may cost on any set, for the command to succeed. */
const MAP_ALLOWANCE = 0.01;

const kilobytes = (bytes: Uint8Array): string => `${Math.round(bytes.byteLength / 1000)} kB`;

async function quantize(options: Arguments): Promise<void> {
  const { zoo, out, packDir, clipsDir, calibrationClips, rule, threads } = options;
  const folder = join(zoo, options.victim);
  const card = parseCard(await readFile(join(folder, CARD_FILE), 'utf8'));
  const bytes = await readFile(join(folder, card.model));
  const spec = ARCHITECTURES[options.spec].laptop;
  const sets = await loadMeasuringSets(await openSet(await measuringSetOf(packDir)), clipsDir, spec);
  const batches = calibrationBatches(sets, spec, calibrationClips);
  const { graph, layers } = await quantizeVictim(decodeModel(bytes).graph, {
    logits: card.logits,
    batches,
    rule,
    threads,
  });
  const model = encodeModel(modelOf(graph));
  const measured = await measure(model, spec, sets, threads);
  await mkdir(out, { recursive: true });
  await writeFile(join(out, MODEL_FILE), model);
  await writeCard(out, { ...quantizedCard(card, model, measured, commandOf(options)), model: MODEL_FILE });
  console.log(`wrote ${out}: ${layers.length} layers of 8 bits, ${kilobytes(model)} (${kilobytes(bytes)})`);
  const original = await measure(bytes, spec, sets, threads);
  printLosses(original.metrics, measured.metrics);
  const [feeds] = batches;
  if (feeds !== undefined) {
    const [before, after] = await latencies([bytes, model], feeds, threads);
    console.log(`  one batch: ${after?.toFixed(1)} ms (${before?.toFixed(1)} ms), ${threads} threads`);
  }
}

/** Whole batches of the validation set that hold at least so many clips. */
function calibrationBatches({ validation }: MeasuringSets, spec: VictimSpec, clips: number): Feeds[] {
  const inputs = inputsOf(spec);
  return validation.batches.filter(({ start }) => start < clips).map((batch) => feedsOf(batch, inputs));
}

function printLosses(before: readonly victim.CleanMetrics[], after: readonly victim.CleanMetrics[]): void {
  for (const [index, { split, clips, meanAveragePrecision }] of after.entries()) {
    const original = before[index]?.meanAveragePrecision ?? Number.NaN;
    const loss = original - meanAveragePrecision;
    console.log(
      `  ${split} (${clips} clips): mAP ${meanAveragePrecision.toFixed(4)} (${original.toFixed(4)}), loss ${loss.toFixed(4)}`,
    );
    if (loss > MAP_ALLOWANCE) {
      console.error(`  the loss is above ${MAP_ALLOWANCE}; calibrate on more clips, or with the other --ranges`);
      process.exitCode = 1;
    }
  }
}

try {
  await quantize(readArguments(process.argv.slice(2)));
} catch (error) {
  const isOption = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  const isUse = isOption || error instanceof RangeError;
  console.error(isUse ? `${error.message}\n${USAGE}` : error instanceof CardError ? error.message : error);
  process.exitCode = 2;
}
