import { createHash } from 'node:crypto';
import type { DenseTensor } from '@faultline/contracts';
import type { Loop, LoopBatch, LoopPlan, Victim } from '@faultline/victim';
import type { ExampleBudget } from './attack.ts';
import { AttackNumericError, type LoopProgress } from './ladder-loop.ts';
import type { UniversalPlan } from './universal.ts';

export interface UniversalLoopOptions {
  readonly victim: Victim;
  readonly attack: UniversalPlan;
  readonly variables: readonly string[];
  readonly modelSha256: string;
  readonly budget: ExampleBudget;
  /** Times that each clip is looked at. */
  readonly passes: number;
  /** Most clips of a batch. */
  readonly batch: number;
  /** The crafting split: digests of its clips, which order them in each pass. */
  readonly clipSha256: readonly string[];
  readonly seed: number;
  /** Margin at or below which the goal counts as reached. */
  readonly reachedMargin: number;
  /** The batch of these clips. */
  batchOf(clips: readonly number[]): LoopBatch;
  readonly signal?: AbortSignal | undefined;
}

/** Crafts one perturbation: a step a batch, all clips in each pass, in an order that the seed decides. */
export class UniversalLoop {
  readonly #options: UniversalLoopOptions;
  readonly #reachedByPass: number[] = [];
  #perturbations: ReadonlyMap<string, DenseTensor<Float32Array>> = new Map();

  constructor(options: UniversalLoopOptions) {
    this.#options = options;
  }

  get reachedByPass(): readonly number[] {
    return this.#reachedByPass;
  }

  /** By variable, float32 [1, ...], once the loop has run. */
  get perturbations(): ReadonlyMap<string, DenseTensor<Float32Array>> {
    return this.#perturbations;
  }

  async *run(): AsyncGenerator<LoopProgress> {
    const { victim, attack, variables, modelSha256, passes, clipSha256, signal, budget } = this.#options;
    const { programs, constants } = attack;
    const perPass = this.#batches(0);
    const steps = passes * perPass.length;
    const plan: Omit<LoopPlan, keyof LoopBatch> = {
      modelSha256,
      programs,
      constants,
      variables: variables.map((name) => ({ name, scope: 'shared' })),
    };
    await using loop = await victim.open({ ...plan, ...this.#options.batchOf(perPass[0] ?? []) }, {}, { signal });
    let step = 0;
    for (let pass = 0; pass < passes; pass += 1) {
      let reached = 0;
      for (const clips of this.#batches(pass)) {
        signal?.throwIfAborted();
        // Where one batch holds all clips, it stays.
        if (step > 0 && perPass.length > 1) await loop.rebatch(this.#options.batchOf(clips));
        const parameters = attack.stepParameters(budget, clips.length, step, steps);
        const { outcomes, cost } = await loop.step({ steps: 1, parameters });
        reached += this.#count(outcomes.get('margin'), clips, step === 0);
        step += 1;
        const left = (passes - pass) * clipSha256.length;
        yield { stepsDone: clips.length, stepsLeft: Math.max(0, left - clips.length), cost };
      }
      this.#reachedByPass.push(reached / clipSha256.length);
    }
    this.#perturbations = await this.#fetch(loop);
  }

  /** The clips of each batch of a pass: shuffled, but where one batch holds them all. */
  #batches(pass: number): number[][] {
    const { clipSha256, batch, seed } = this.#options;
    const clips = [...clipSha256.keys()];
    const pieces = Math.ceil(clips.length / batch);
    const key = (clip: number) =>
      createHash('sha256').update(`faultline/universal-order/1 ${seed} ${pass} ${clipSha256[clip]}`).digest('hex');
    const order =
      pieces === 1
        ? clips
        : clips
            .map((clip) => [key(clip), clip] as const)
            .sort()
            .map(([, clip]) => clip);
    return Array.from({ length: pieces }, (_, piece) =>
      order.slice(Math.floor((piece * clips.length) / pieces), Math.floor(((piece + 1) * clips.length) / pieces)),
    );
  }

  #count(margins: Float32Array | undefined, clips: readonly number[], first: boolean): number {
    if (margins?.length !== clips.length) throw new TypeError('the victim returned no margins');
    const broken = margins.findIndex(Number.isNaN);
    if (first && broken >= 0) {
      throw new AttackNumericError(
        `the logits of clip ${clips[broken]} are not numbers: check the victim at its clean inputs`,
      );
    }
    return margins.filter((margin) => margin <= this.#options.reachedMargin).length;
  }

  async #fetch(loop: Loop): Promise<Map<string, DenseTensor<Float32Array>>> {
    const { variables } = this.#options;
    const tensors = await loop.fetch(variables.map((name) => `x/${name}`));
    return new Map(
      variables.map((name) => {
        const tensor = tensors.get(`x/${name}`);
        if (!(tensor?.data instanceof Float32Array)) {
          throw new TypeError(`the victim returned no float32 tensor for '${name}'`);
        }
        return [name, { dims: tensor.dims, data: tensor.data }];
      }),
    );
  }
}
