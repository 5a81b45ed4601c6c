import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Weights } from '@faultline/fusion';
import { type CurvePoint, readCheckpoint, writeCheckpoint } from '@faultline/training';

/** Where runs are kept, each under its name and seed. Not part of the repository. */
export const RUNS_DIR = '.cache/train';

export const CHECKPOINT_FILE = '.checkpoint';
/** The final weights: cards, quantised victims and decision victims are made of them without training again. */
export const WEIGHTS_FILE = '.weights';

/** Path of what a run leaves behind; `ending` says which. */
export const keptRun = (name: string, seed: number, ending: string): string =>
  `${RUNS_DIR}/${name}-seed-${seed}${ending}`;

/** What a training cost. */
export interface TrainingCost {
  /** Steps that were trained. */
  readonly steps: number;
  /** Clips that they saw, repetitions included. */
  readonly clips: number;
  /** Seconds that all threads of the process computed. */
  readonly processorSeconds: number;
  readonly processor: string;
  readonly threads: number;
}

/** How weights came about. */
export interface RunHistory {
  /** The command that makes them again. */
  readonly command: string;
  /** Step that the weights are of; early stopping keeps an earlier one than the last. */
  readonly bestStep: number;
  /** Empty where nothing was trained. */
  readonly curve: readonly CurvePoint[];
  readonly cost: TrainingCost;
}

/** Weights with their history. */
export interface KeptRun {
  readonly weights: Weights;
  readonly history: RunHistory;
}

export async function keepRun(path: string, { weights, history }: KeptRun): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeCheckpoint(path, { tensors: weights, metadata: history });
}

/** @throws RangeError when there is no such run, CheckpointError when the file is damaged. */
export async function readKeptRun(path: string): Promise<KeptRun> {
  const kept = await readCheckpoint(path);
  if (kept === undefined)
    throw new RangeError(`there are no weights in ${path}; train that victim first, with the same seed`);
  return { weights: kept.tensors, history: kept.metadata as RunHistory };
}
