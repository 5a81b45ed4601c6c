import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { encodeModel } from '@faultline/onnx';
import { trainingCurveSvg } from '@faultline/training';
import { commandOf } from './arguments.ts';
import { assemble } from './assemble.ts';
import { examplesOf, type Job } from './job.ts';
import { type KeptRun, keepRun, keptRun, RUNS_DIR, readKeptRun, WEIGHTS_FILE } from './kept-run.ts';
import { exportedModel } from './labelled-set.ts';
import { measure } from './measure.ts';
import { figureLines, percent, spreadLine } from './print-figures.ts';
import { RECIPE } from './recipe.ts';
import { digestOf, type RunRecord, sistersOf, spreadOver, writeRecord } from './run-record.ts';
import { removeCheckpoints, trainVictim } from './train-victim.ts';
import { MODEL_FILE, writeVictim } from './write-victim.ts';

const SVG_FILE = 'training.svg';

/** The set that spreads over seeds are told of: what a victim is worth on sources that it never saw. */
export const SPREAD_SPLIT = 'test-unseen';

/** Trains a victim, puts it together, or takes what an earlier run kept; keeps its weights and what was measured; writes its folder. */
export async function makeVictim(job: Job): Promise<void> {
  const { options, spec, set, sets } = job;
  const { name, seed, out, threads } = options;
  const run = await weightsOf(job);
  const { weights, history } = run;
  await keepRun(keptRun(name, seed, WEIGHTS_FILE), run);
  const model = exportedModel(spec, weights);
  const measured = await measure(model, spec, sets, threads);
  const { metrics } = measured;
  const record: RunRecord = { name, seed, command: history.command, measuredOn: digestOf(set), metrics };
  await writeRecord(RUNS_DIR, record);
  const seedSpread = spreadOver(await sistersOf(RUNS_DIR, record), SPREAD_SPLIT);
  if ('waveform' in spec) {
    await writeVictim(out, { name, spec, measured, provenance: provenanceOf(run), seedSpread, ...run });
  } else {
    // Cards speak of media alone: nothing extracts the study's features.
    await mkdir(out, { recursive: true });
    await writeFile(join(out, MODEL_FILE), encodeModel(model));
  }
  if (history.curve.length > 0) {
    await writeFile(join(out, SVG_FILE), trainingCurveSvg(`${name}, seed ${seed}`, history.curve));
  }
  // The victim is written: the same command shall train anew.
  await removeCheckpoints(options);
  console.log([`wrote ${out}`, ...figureLines(metrics), ...(seedSpread ? [spreadLine(seedSpread)] : [])].join('\n'));
}

function weightsOf(job: Job): Promise<KeptRun> {
  const { name, seed, kept, from } = job.options;
  if (kept) return readKeptRun(keptRun(name, seed, WEIGHTS_FILE));
  return from === undefined ? train(job) : putTogether(job, from);
}

async function train(job: Job): Promise<KeptRun> {
  const { options, spec, sets } = job;
  const run = await trainVictim({
    arguments: options,
    spec,
    examples: examplesOf(job),
    validation: sets.validation,
    onResume: (step) => console.log(`continuing at step ${step}, from ${options.checkpoint}`),
    onProgress: ({ step, steps, loss, gradientNorm, remainingSeconds }) => {
      const left = `${Math.ceil(remainingSeconds)} s to go`;
      console.log(`step ${step}/${steps}  loss ${loss.toFixed(4)}  |g| ${gradientNorm.toFixed(2)}  ${left}`);
    },
    onEpoch: ({ step, validation }) => console.log(`step ${step}: validation mAP ${percent(validation)}`),
  });
  const { weights, curve, processorSeconds } = run;
  const { momentSteps } = options.run;
  const bestStep = momentSteps + run.step;
  const steps = momentSteps + (curve.at(-1)?.step ?? run.step);
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

function provenanceOf({ history: { command, bestStep, cost } }: KeptRun): string {
  return bestStep === 0 ? command : `${command} (weights of step ${bestStep} of ${cost.steps})`;
}
