import type { Perturbations } from '@faultline/attack-algorithms';
import { attack, type DenseTensor, decodeTensor, encodeTensor } from '@faultline/contracts';
import type { CostReport } from '@faultline/report';
import { FaultlineError } from '@faultline/service-kit';
import type { AttackedClip } from '../peers/attack-batch.ts';
import { NO_COST } from '../peers/predict-clips.ts';
import type { Services } from '../peers/services.ts';
import { batchInputs } from '../peers/tensor-rows.ts';
import { targetsOf, type VictimUnderTest } from '../peers/victim-under-test.ts';

/** A perturbation as the attack service gave it. */
export interface Crafted {
  readonly perturbations: Perturbations;
  readonly reachedByPass: readonly number[];
}

export interface Crafting {
  /** One a rung, in the ladder's order. */
  readonly rungs: readonly Crafted[];
  readonly cost: CostReport;
}

/**
 * Crafts a perturbation for each rung on these clips, which travel in one request.
 * @throws FaultlineError naming victim and service when it fails, or leaves a rung or a variable out.
 */
export async function craft(
  services: Services,
  victim: VictimUnderTest,
  threatModel: attack.ThreatModel,
  clips: readonly AttackedClip[],
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<Crafting> {
  const labels = clips.map((clip) => clip.labels);
  const inputs = clips.map((clip) => clip.inputs);
  const names = victim.card.inputs.map(({ name }) => name);
  const request = {
    victim: victim.name,
    modelSha256: victim.card.sha256,
    threatModel,
    inputs: batchInputs(inputs, names),
    targets: encodeTensor({ dims: [clips.length, victim.card.labels.length], data: targetsOf(victim, labels) }),
    clipSha256: clips.map((clip) => clip.sha256),
    tapValues: [],
    delivery: attack.TensorDelivery.TENSOR_DELIVERY_RAW,
  };
  const rungs = new Map<number, Crafted>();
  let cost = NO_COST;
  for await (const { kind } of services.attack(request, signal)) {
    if (kind?.$case === 'progress') onProgress(kind.value.stepsDone / Math.max(1, kind.value.stepsPlanned));
    if (kind?.$case === 'cost') cost = kind.value;
    if (kind?.$case !== 'universal') continue;
    const { rung, perturbations, reachedByPass } = kind.value;
    rungs.set(rung, { perturbations: read(perturbations, threatModel), reachedByPass });
  }
  return {
    cost,
    rungs: threatModel.rungs.map((_, rung) => {
      const crafted = rungs.get(rung);
      if (crafted === undefined)
        throw new FaultlineError('internal', `attack service: rung ${rung} has no perturbation`);
      return crafted;
    }),
  };
}

/** One float32 tensor [1, ...] for each variable of the threat model. */
function read(given: attack.UniversalResult['perturbations'], { variables }: attack.ThreatModel): Perturbations {
  return new Map(
    variables.map(({ variable }): [string, DenseTensor<Float32Array>] => {
      const tensor = given.find(({ name }) => name === variable)?.tensor;
      const decoded = tensor === undefined ? undefined : decodeTensor(tensor);
      if (!(decoded?.data instanceof Float32Array)) {
        throw new FaultlineError('internal', `attack service: no float32 perturbation of '${variable}'`);
      }
      return [variable, { dims: decoded.dims, data: decoded.data }];
    }),
  );
}
