import { type Graph, quantizableLayers, quantizedValues, quantizeGraph, valueNames } from '@faultline/onnx';
import { calibrate, type Feeds, type RangeRule } from '@faultline/ort';

/** Where the sound's front end ends, in every victim that has one: its powers and logarithms need more than a byte. */
const LOG_MEL = 'audio.log-mel';

export interface QuantizationOptions {
  /** The value that holds the logits: the layer before it stays in floating point. */
  readonly logits: string;
  readonly batches: readonly Feeds[];
  readonly rule: RangeRule;
  readonly threads: number;
}

/** A quantised graph, and the layers that compute with bytes now. */
export interface Quantized {
  readonly graph: Graph;
  readonly layers: readonly string[];
}

/**
 * Post-training static quantisation of a victim's graph to bytes: every layer with weights but those of the front end and the last.
 * @throws RangeError where there is nothing to quantise
 */
export async function quantizeVictim(graph: Graph, options: QuantizationOptions): Promise<Quantized> {
  const { logits, ...calibration } = options;
  const floatUntil = valueNames(graph).has(LOG_MEL) ? [LOG_MEL] : [];
  const layers = quantizableLayers(graph, { floatUntil, output: logits });
  if (layers.length === 0) throw new RangeError('the model has no layer between its front end and its last layer');
  const ranges = await calibrate({ graph, values: quantizedValues(layers), ...calibration });
  return { graph: quantizeGraph(graph, layers, ranges), layers: layers.map(({ weight }) => weight) };
}
