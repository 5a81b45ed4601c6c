import { buildVictim, type ReferenceSpec } from '@faultline/fusion';
import { float32 } from '@faultline/onnx';
import { ADAMW_DEFAULTS, initialise, type StepReport, Trainer, type TrainingBatch } from '@faultline/training';
import { PeerProcess } from '../peers/peer-process.ts';

/** Steps that both take from the same weights before anything is timed. */
const COMPARED_STEPS = 3;

export interface TwinOptions {
  readonly python: string;
  readonly spec: ReferenceSpec;
  readonly seed: number;
  readonly threads: number;
  readonly learningRate: number;
}

/** The same network in PyTorch, trained on one batch in a process of its own. */
export async function startTwin(options: TwinOptions, batch: TrainingBatch): Promise<PeerProcess> {
  const { python, spec, seed, threads } = options;
  const arrays = new Map([
    ...Array.from(
      initialise(buildVictim(spec).parameters, seed),
      ([name, tensor]) => [`weights/${name}`, tensor] as const,
    ),
    ['waveform', float32(batch.inputs.waveform ?? [], [batch.size, spec.waveform.samples])],
    ['targets', float32(batch.targets, [batch.size, spec.labels])],
    [
      'frames',
      float32(batch.inputs.frames ?? [], [batch.size, spec.frames.frames, 3, spec.frames.height, spec.frames.width]),
    ],
  ]);
  return await PeerProcess.start(python, 'training.py', threads, {
    arrays,
    settings: { spec, optimiser: ADAMW_DEFAULTS },
  });
}

interface TwinRun {
  readonly seconds: number;
  readonly reports: readonly StepReport[];
}

export const runTwin = async (twin: PeerProcess, steps: number, learningRate: number): Promise<TwinRun> =>
  (await twin.ask({ do: 'run', steps, learningRate })) as TwinRun;

/** The largest relative difference of losses and gradient norms over the first steps of both. */
export async function disagreement(twin: PeerProcess, options: TwinOptions, batch: TrainingBatch): Promise<number> {
  const { spec, seed, threads, learningRate } = options;
  const { reports } = await runTwin(twin, COMPARED_STEPS, learningRate);
  await using trainer = await Trainer.create({ spec, seed, threads });
  let largest = 0;
  for (const theirs of reports) {
    const ours = await trainer.step(batch, learningRate);
    for (const figure of ['loss', 'gradientNorm'] as const) {
      largest = Math.max(largest, Math.abs(ours[figure] - theirs[figure]) / ours[figure]);
    }
  }
  return largest;
}
