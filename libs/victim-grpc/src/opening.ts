import { common, type DenseTensor, inference } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import type { LoopBatch, LoopPlan } from '@faultline/victim';
import { PROTOCOL_VERSION } from '@faultline/victim';

const { DATA_TYPE_FLOAT32, DATA_TYPE_UINT8 } = common.DataType;

const SCOPES = {
  example: inference.VariableScope.VARIABLE_SCOPE_EXAMPLE,
  shared: inference.VariableScope.VARIABLE_SCOPE_SHARED,
} as const;

const MODES = {
  differentiate: inference.LoopMode.LOOP_MODE_DIFFERENTIATE,
  evaluate: inference.LoopMode.LOOP_MODE_EVALUATE,
} as const;

const REDUCTIONS = {
  mean: inference.SampleGradient.SAMPLE_GRADIENT_MEAN,
  each: inference.SampleGradient.SAMPLE_GRADIENT_EACH,
} as const;

const DISTRIBUTIONS = {
  uniform: inference.NoiseDistribution.NOISE_DISTRIBUTION_UNIFORM,
  normal: inference.NoiseDistribution.NOISE_DISTRIBUTION_NORMAL,
  signs: inference.NoiseDistribution.NOISE_DISTRIBUTION_SIGNS,
} as const;

/** The first message of a loop. */
export function openRequest(plan: LoopPlan): inference.OpenRequest {
  const { programs, samples, mode = 'differentiate' } = plan;
  return {
    context: undefined,
    modelSha256: plan.modelSha256,
    protocolVersion: PROTOCOL_VERSION,
    programs: {
      transform: Buffer.from(programs.transform ?? new Uint8Array()),
      objective: Buffer.from(programs.objective),
      step: Buffer.from(programs.step),
      init: Buffer.from(programs.init ?? new Uint8Array()),
    },
    variables: plan.variables.map(({ name, scope }) => ({ name, scope: SCOPES[scope] })),
    mode: MODES[mode],
    samples: samples && { count: samples.count, gradient: REDUCTIONS[samples.gradient] },
    noise: (plan.noise ?? []).map(({ name, distribution, dims }) => ({
      name,
      distribution: DISTRIBUTIONS[distribution],
      dims: [...dims],
    })),
    announced: [
      ...Array.from(plan.constants ?? [], ([name, tensor]) => announcement(`const/${name}`, tensor)),
      ...Array.from(plan.data ?? [], ([name, tensor]) => announcement(`data/${name}`, tensor)),
    ],
    ...batchRequest(plan),
  };
}

/** The clips of a loop, as Open and Rebatch say them. */
export function batchRequest(batch: LoopBatch): inference.RebatchRequest {
  return {
    exampleClips: [...batch.exampleClips],
    clips: clipsOf(batch),
    noiseKeys: batch.noiseKeys === undefined ? Buffer.alloc(0) : littleEndian(batch.noiseKeys),
  };
}

/** The tensors of a batch, by the slot that they are uploaded to. */
export function* batchUploads({ inputs, targets, data }: LoopBatch): Generator<readonly [string, DenseTensor]> {
  for (const [name, tensor] of inputs) yield [`x0/${name}`, tensor];
  yield ['targets', targets];
  for (const [name, tensor] of data ?? []) yield [`data/${name}`, tensor];
}

/** The tensors of a plan, by the slot that they are uploaded to. */
export function* planUploads(plan: LoopPlan): Generator<readonly [string, DenseTensor]> {
  for (const [name, tensor] of plan.constants ?? []) yield [`const/${name}`, tensor];
  yield* batchUploads(plan);
}

function announcement(slot: string, { dims, data }: DenseTensor): inference.AnnouncedSlot {
  return { slot, dataType: data instanceof Uint8Array ? DATA_TYPE_UINT8 : DATA_TYPE_FLOAT32, dims: [...dims] };
}

function clipsOf({ inputs }: LoopBatch): number {
  const rows = new Set([...inputs.values()].map(({ dims }) => dims[0] ?? 0));
  const [clips] = rows;
  if (clips === undefined || rows.size > 1) {
    throw FaultlineError.invalid(
      'inputs',
      `have ${[...rows].join(' and ') || 'no'} clips; give every input of the same clips`,
    );
  }
  return clips;
}

function littleEndian(keys: BigUint64Array): Buffer {
  const bytes = Buffer.alloc(keys.length * BigUint64Array.BYTES_PER_ELEMENT);
  for (const [index, key] of keys.entries()) bytes.writeBigUInt64LE(key, index * BigUint64Array.BYTES_PER_ELEMENT);
  return bytes;
}
