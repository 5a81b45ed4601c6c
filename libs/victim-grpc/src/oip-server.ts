import { type DenseTensor, elementCount, openInference, type victim } from '@faultline/contracts';
import { FaultlineError, type RunningServer, register, startServer } from '@faultline/service-kit';
import { exampleDims, labelsOnly, type ScorePredictor } from '@faultline/victim';
import type { OipAnswers } from './oip-victim.ts';

/** How a small server answers. */
export interface OipServerOptions {
  readonly card: victim.Card;
  /** Computes the logits: a real model. */
  readonly predictor: ScorePredictor;
  /** Default: logits. */
  readonly answers?: OipAnswers | undefined;
  /** Whether tensors travel as raw bytes or as lists. Default: raw. */
  readonly encoding?: 'raw' | 'listed' | undefined;
}

/** A running server, and how often it was asked. */
export interface OipServer extends AsyncDisposable {
  readonly address: string;
  /** Rows of all batches that arrived. */
  readonly rows: number;
  /** Rows of the largest batch. */
  readonly largestBatch: number;
}

/** Serves one model over the Open Inference Protocol v2, on 127.0.0.1. For tests. */
export async function startOipServer(options: OipServerOptions): Promise<OipServer> {
  const { card } = options;
  const counts = { rows: 0, largestBatch: 0 };
  const handlers = {
    modelMetadata: ({ name }: openInference.ModelMetadataRequest) => {
      checkModel(name, card);
      return Promise.resolve(metadata(options));
    },
    modelInfer: async (request: openInference.ModelInferRequest) => {
      checkModel(request.modelName, card);
      const inputs = new Map(request.inputs.map((input, index) => [input.name, received(request, input, index)]));
      const rows = inputs.values().next().value?.dims[0] ?? 0;
      counts.rows += rows;
      counts.largestBatch = Math.max(counts.largestBatch, rows);
      return answer(options, request, await computed(options, inputs));
    },
  };
  const server: RunningServer = await startServer({
    name: 'open-inference',
    services: [register(openInference.GRPCInferenceServiceService, handlers)],
    host: '127.0.0.1',
    port: 0,
  });
  return {
    address: server.address,
    get rows() {
      return counts.rows;
    },
    get largestBatch() {
      return counts.largestBatch;
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

function checkModel(name: string, card: victim.Card): void {
  if (name !== card.name) throw new FaultlineError('not_found', `no model '${name}'; this server has ${card.name}`);
}

function metadata({ card, answers }: OipServerOptions): openInference.ModelMetadataResponse {
  return {
    name: card.name,
    versions: ['1'],
    platform: 'onnx',
    inputs: card.inputs.map((input) => ({ name: input.name, datatype: 'FP32', shape: [-1, ...exampleDims(input)] })),
    outputs: [{ name: card.logits, datatype: answers === 'labels' ? 'BOOL' : 'FP32', shape: [-1, card.labels.length] }],
  };
}

function received(
  { rawInputContents }: openInference.ModelInferRequest,
  { name, shape }: openInference.ModelInferRequest_InferInputTensor,
  index: number,
): DenseTensor<Float32Array> {
  const raw = rawInputContents[index];
  const size = elementCount(shape) * Float32Array.BYTES_PER_ELEMENT;
  if (raw?.byteLength !== size) throw FaultlineError.invalid('inputs', `'${name}' holds ${raw?.byteLength} bytes`);
  return { dims: shape, data: new Float32Array(Uint8Array.from(raw).buffer) };
}

async function computed(
  { card, predictor, answers = 'logits' }: OipServerOptions,
  inputs: ReadonlyMap<string, DenseTensor>,
): Promise<DenseTensor<Float32Array | Uint8Array>> {
  if (answers === 'labels') return (await labelsOnly(predictor, card).decide(inputs)).active;
  const { logits } = await predictor.predict(inputs);
  if (answers === 'logits') return logits;
  return { dims: logits.dims, data: logits.data.map((z) => 1 / (1 + Math.exp(-z))) };
}

function answer(
  { card, encoding = 'raw' }: OipServerOptions,
  { id, modelName }: openInference.ModelInferRequest,
  { dims, data }: DenseTensor<Float32Array | Uint8Array>,
): openInference.ModelInferResponse {
  const isFloat = data instanceof Float32Array;
  const contents =
    encoding === 'raw'
      ? undefined
      : openInference.InferTensorContents.fromPartial(
          isFloat ? { fp32Contents: [...data] } : { boolContents: Array.from(data, (value) => value === 1) },
        );
  return {
    modelName,
    modelVersion: '1',
    id,
    outputs: [{ name: card.logits, datatype: isFloat ? 'FP32' : 'BOOL', shape: [...dims], contents }],
    rawOutputContents: encoding === 'raw' ? [Buffer.from(data.buffer, data.byteOffset, data.byteLength)] : [],
  };
}
