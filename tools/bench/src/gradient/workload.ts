import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { differentiate } from '@faultline/autodiff';
import { countMacs } from '@faultline/fusion';
import {
  decodeModel,
  type Graph,
  GraphBuilder,
  type Model,
  modelOf,
  OnnxError,
  standardModel,
  type Tensor,
  type ValueInfo,
} from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import { audioSpectrogramTransformer } from './networks/audio-spectrogram-transformer.ts';
import { cnn14 } from './networks/cnn14.ts';
import { mobilenetV2 } from './networks/mobilenet-v2.ts';
import { r2plus1d18 } from './networks/r2plus1d-18.ts';
import { resnet50 } from './networks/resnet-50.ts';
import { spread } from './spread.ts';

/** A classifier and the batch that it is measured with. */
export interface Workload {
  readonly name: string;
  /** Chosen so that one forward pass takes 20 to 300 ms on a laptop. */
  readonly batch: number;
  /** The plain model: inputs -> logits. */
  readonly model: () => Promise<Model>;
}

const VICTIMS = join(import.meta.dirname, '../../../../zoo/victims');

const victim = (name: string): Workload => ({
  name: `victim-${name}`,
  batch: 16,
  model: async () => decodeModel(await readFile(join(VICTIMS, name, 'model.onnx'))),
});

const network = (name: string, batch: number, build: () => Graph): Workload => ({
  name,
  batch,
  model: async () => modelOf(build()),
});

/** The reference victims, and networks in the form of widely used ones with random weights. */
export const WORKLOADS: readonly Workload[] = [
  victim('early'),
  victim('mid'),
  victim('late'),
  network('resnet-50', 1, () => resnet50(160)),
  network('cnn14', 1, () => cnn14(100)),
  network('mobilenet-v2', 4, () => mobilenetV2(160)),
  network('ast', 1, () => audioSpectrogramTransformer(100)),
  network('r2plus1d-18', 1, () => r2plus1d18(8, 64)),
];

/** What is compared: the plain model, and the model with a loss and its gradients. */
export interface Comparison {
  readonly forward: Model;
  /** Adds outputs `loss` and the gradients of all inputs. */
  readonly gradient: Model;
  /** Multiply-accumulate operations of one example's forward pass. */
  readonly macs: number;
}

/** Composes a model with a multi-label loss and differentiates with respect to all floating inputs. */
export async function compare({ model }: Workload): Promise<Comparison> {
  const forward = standardModel(await model());
  const [logits] = forward.graph.outputs;
  if (logits === undefined) throw new OnnxError('the model has no output');
  const graph = withLoss(forward.graph, logits);
  const types = await dryRun(graph);
  const wrt = graph.inputs.map(({ name }) => name);
  const gradient = differentiate({ graph, types, output: 'loss', wrt });
  return { forward, gradient: modelOf(gradient), macs: countMacs(forward.graph, types) };
}

/** Adds the loss `[batch]`: binary cross-entropy with a single true label, from logits. */
function withLoss(graph: Graph, logits: ValueInfo): Graph {
  const labels = logits.dims?.[1];
  if (typeof labels !== 'number') throw new OnnxError('the logits must be [batch, labels], labels a number');
  const b = new GraphBuilder({ prefix: 'objective/' });
  const target: Tensor = { dataType: 'float32', dims: [labels], data: new Float32Array(labels).fill(1, 0, 1) };
  const loss = b.minus(b.op('Softplus', [logits.name]), b.times(logits.name, b.constant(target)));
  b.output(b.reduceSum(loss, [1], false), ['batch'], 'float32', 'loss');
  const objective = b.graph();
  return {
    ...graph,
    nodes: [...graph.nodes, ...objective.nodes],
    outputs: [...graph.outputs, ...objective.outputs],
    initializers: new Map([...graph.initializers, ...objective.initializers]),
  };
}

/** Inputs of a batch: irregular numbers in [0, 1), the same at every call. */
export function inputsOf(model: Model, batch: number): Map<string, Tensor> {
  return new Map(
    model.graph.inputs.map(({ name, dims = [] }) => {
      const sizes = dims.map((size) => (typeof size === 'number' ? size : batch));
      return [name, { dataType: 'float32', dims: sizes, data: spread(sizes) }];
    }),
  );
}
