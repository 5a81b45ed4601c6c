import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DenseTensor, sliceRows } from '@faultline/contracts';
import type { BallNorm } from '../projection.ts';
import { collect, runOf } from './attack-run.ts';
import { criticalScale, optimalMargin } from './linear-optimum.ts';
import { floats, LinearVictim } from './linear-victim.ts';
import { randomNumbers } from './random.ts';

const CLIPS = 3;
const INPUTS = [['waveform', 'frames'], ['frames']];
const BUDGETS = {
  linf: { waveform: 0.3, frames: 0.2 },
  l2: { waveform: 6, frames: 4 },
  l1: { waveform: 40, frames: 20 },
} as const satisfies Record<BallNorm, object>;

/** What is asked of an attack on linear victims. */
export interface OptimumCase {
  readonly attack: string;
  readonly norm: BallNorm;
  readonly steps: number;
  readonly parameters?: Readonly<Record<string, number | string>>;
  /** Numbers of true labels. Default: one and two. */
  readonly labels?: readonly number[];
  /** The inputs that are attacked, in turn. Default: both, and the frames alone. */
  readonly inputs?: readonly (readonly string[])[];
  /** Largest distance from the optimum, of the clean margin and of the critical budget. Default: 1 %. */
  readonly tolerance?: number;
}

/**
 * The setting in which attacks must reach the closed-form optimum: 1,520 coordinates in two inputs of different range, 40 % of them at
 * an end of it; with and without masks, one and two true labels, one and both inputs.
 */
export class HardSetting implements AsyncDisposable {
  readonly linear: LinearVictim;
  readonly clips: Map<string, DenseTensor>;
  readonly masks: ReadonlyMap<string, Float32Array>;

  private constructor(linear: LinearVictim) {
    this.linear = linear;
    this.clips = linear.clips(CLIPS, 0.4, 2);
    const random = randomNumbers(9);
    const free = (length: number) => Float32Array.from({ length }, () => (random() < 0.7 ? 1 : 0));
    this.masks = new Map([
      ['waveform', free(800)],
      ['frames', free(720)],
    ]);
    for (const { name } of linear.card.inputs) {
      const values = floats(this.clips.get(name));
      const atTheEnd = values.filter((value) => value === 1 || value === (name === 'waveform' ? -1 : 0));
      assert.ok(atTheEnd.length / values.length >= 0.3, 'at least 30 % of the coordinates stand at the box');
    }
  }

  static async create(): Promise<HardSetting> {
    return new HardSetting(await LinearVictim.create(1));
  }

  /** Declares the tests that an attack reaches the optimum. */
  testOptimum({
    attack,
    norm,
    steps,
    parameters = {},
    labels = [1, 2],
    inputs = INPUTS,
    tolerance = 0.01,
  }: OptimumCase): void {
    for (const count of labels) {
      for (const region of ['', 'a region of ']) {
        for (const variables of inputs) {
          test(`${attack} reaches the optimum: ${norm}, ${count} label(s), ${region}${variables.join(' and ')}`, async () => {
            const masks = region === '' ? new Map<string, Float32Array>() : this.masks;
            const budgets = new Map<string, number>(
              Object.entries(BUDGETS[norm]).filter(([name]) => variables.includes(name)),
            );
            for (let clip = 0; clip < CLIPS; clip += 1) {
              const active = this.byMargin(clip).slice(0, count);
              const problem = this.linear.problem(this.clips, clip, active, norm, budgets, masks);
              const critical = criticalScale(problem);
              const { rows } = await collect(
                this.linear.victim,
                runOf({
                  inputs: this.inputsOf(clip),
                  labels: [active],
                  labelCount: 3,
                  norm,
                  budgets,
                  attack,
                  rungs: [
                    [critical * (1 - tolerance), 'early'],
                    [critical, 'never'],
                    [critical * (1 + tolerance), 'early'],
                  ],
                  steps,
                  masks,
                  parameters,
                }),
              );
              const margin = rows.find(({ rung }) => rung === 1)?.margin ?? Number.NaN;
              const gap = margin - optimalMargin(problem, critical);
              const clean = Math.max(...problem.margins);
              assert.ok(gap > -1e-3 * clean && gap < tolerance * clean, `clip ${clip}: gap ${gap} of ${clean}`);
              assert.deepEqual(rows.map(({ rung }) => rung).sort(), [1, 2], `clip ${clip}, critical scale ${critical}`);
            }
          });
        }
      }
    }
  }

  /** One clip alone. */
  inputsOf(clip: number): Map<string, DenseTensor> {
    return new Map(Array.from(this.clips, ([name, tensor]) => [name, sliceRows(tensor, clip, clip + 1)]));
  }

  /** The labels of a clip, highest margin first. */
  byMargin(clip: number): number[] {
    return [...this.linear.margins(this.clips, clip).entries()].sort(([, a], [, b]) => b - a).map(([label]) => label);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.linear[Symbol.asyncDispose]();
  }
}
