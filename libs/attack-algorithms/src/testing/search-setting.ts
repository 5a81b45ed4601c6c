import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cost, Victim } from '@faultline/victim';
import type { NormName } from '../attack.ts';
import type { AttackRun } from '../request.ts';
import { runAttack } from '../run-attack.ts';
import type { SearchInterval } from '../search.ts';
import { runOf } from './attack-run.ts';
import type { HardSetting } from './hard-setting.ts';
import { criticalScale } from './linear-optimum.ts';

/** What a search found for one clip. */
export interface Found extends SearchInterval {
  readonly margin?: number | undefined;
  readonly point: ReadonlyMap<string, Float32Array>;
}

/** Runs a search to its end; by clip. */
export async function collectSearch(
  victim: Victim,
  run: AttackRun,
): Promise<{ found: Found[]; cost: Cost | undefined }> {
  const found: Found[] = [];
  let cost: Cost | undefined;
  for await (const event of runAttack(victim, run)) {
    if (event.kind === 'cost') cost = event.cost;
    if (event.kind !== 'search') continue;
    const { intervals, clips, adversarial, margins } = event.result;
    for (const interval of intervals) {
      const row = clips.indexOf(interval.clip);
      const point = new Map(
        Array.from(adversarial, ([name, { dims, data }]) => {
          const size = data.length / Math.max(1, dims[0] ?? 1);
          return [name, row < 0 ? new Float32Array() : data.subarray(row * size, (row + 1) * size)] as const;
        }),
      );
      found.push({ ...interval, margin: margins[row], point });
    }
  }
  return { found, cost };
}

/** What is asked of a search on linear victims. */
export interface SearchCase {
  readonly attack: string;
  readonly norm: NormName;
  readonly steps: number;
  readonly parameters?: Readonly<Record<string, number | string>>;
  /** Numbers of true labels. Default: one and two. */
  readonly labels?: readonly number[];
  /** Sets of inputs that are attacked together. Default: both, and the frames. */
  readonly inputs?: readonly (readonly string[])[];
  /** Largest excess over the optimum, as a share of it. */
  readonly tolerance: number;
  /** Largest excess over the optimum in coordinates of the variable with the largest budget. Default: none. */
  readonly coordinates?: number;
}

/** Budgets at scale 1: of different size for the two inputs. */
const BUDGETS = {
  linf: { waveform: 0.3, frames: 0.2 },
  l2: { waveform: 6, frames: 4 },
  l1: { waveform: 40, frames: 20 },
  l0: { waveform: 3, frames: 2 },
} as const satisfies Record<NormName, object>;

/** Declares the tests that a search finds the closed-form optimum of linear victims. */
export function testSearch(setting: HardSetting, wanted: SearchCase): void {
  const { attack, norm, steps, parameters = {}, labels = [1, 2], tolerance, coordinates = 0 } = wanted;
  const { inputs = [['waveform', 'frames'], ['frames']] } = wanted;
  for (const count of labels) {
    // The optimum for two labels takes long to compute: in the harder case alone.
    for (const region of count > 1 ? ['a region of '] : ['', 'a region of ']) {
      for (const variables of inputs) {
        test(`${attack} finds the optimum: ${norm}, ${count} label(s), ${region}${variables.join(' and ')}`, async () => {
          const { linear, clips } = setting;
          const clipCount = clips.get('waveform')?.dims[0] ?? 0;
          const masks = region === '' ? new Map<string, Float32Array>() : setting.masks;
          const budgets = new Map<string, number>(
            Object.entries(BUDGETS[norm]).filter(([name]) => variables.includes(name)),
          );
          const active = Array.from({ length: clipCount }, (_, clip) => setting.byMargin(clip).slice(0, count));
          const run = runOf({
            inputs: clips,
            labels: active,
            labelCount: 3,
            norm,
            budgets,
            attack,
            rungs: [],
            steps,
            masks,
            parameters,
          });
          const { found } = await collectSearch(linear.victim, run);
          assert.equal(found.length, clipCount);
          const report = found.map(({ clip, failedScale, reachedScale = Number.POSITIVE_INFINITY, margin, point }) => {
            const problem = linear.problem(clips, clip, active[clip] ?? [], norm, budgets, masks);
            const optimum = criticalScale(problem);
            const slack = coordinates / Math.max(...budgets.values());
            assert.ok(failedScale <= reachedScale && (margin ?? 0) < 0);
            for (const [name, mask] of masks) {
              const clean = clips.get(name)?.data.subarray(clip * mask.length, (clip + 1) * mask.length) ?? [];
              for (const [i, value] of (point.get(name) ?? new Float32Array()).entries())
                assert.ok(mask[i] === 1 || value === clean[i], `${name}[${i}] is outside the region`);
            }
            return {
              clip,
              share: reachedScale / optimum,
              fits: reachedScale <= optimum * (1 + tolerance) + slack + 1e-9,
            };
          });
          assert.ok(
            report.every(({ fits, share }) => fits && share > 0.999),
            JSON.stringify(report),
          );
        });
      }
    }
  }
}
