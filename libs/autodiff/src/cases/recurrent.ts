import { type Attributes, type Dimension, float, int, string, type Tensor } from '@faultline/onnx';
import { B, type Case } from './case.ts';

const STEPS = 3;
const FEATURES = 2;
const HIDDEN = 2;

const GATES = { LSTM: 4, GRU: 3, RNN: 1 } as const;

/** Inputs of a recurrent node by name; those not listed are left out. */
type Given = 'bias' | 'initial' | 'memory' | 'peepholes';

const activations = (...names: string[]): Attributes => ({ activations: { type: 'strings', value: names } });
const floats = (...value: number[]) => ({ type: 'floats', value }) as const;

/** Sequences of different lengths, those of the two examples of the batch. */
const lengths = (...values: number[]): Tensor => ({
  dataType: 'int32',
  dims: [values.length],
  data: Int32Array.from(values),
});

const recurrent = (
  op: keyof typeof GATES,
  about: string,
  attributes: Attributes = {},
  given: readonly Given[] = ['bias'],
  result = 0,
  sequences?: Tensor,
): Case => {
  const gates = GATES[op];
  const directions = attributes.direction?.type === 'string' && attributes.direction.value === 'bidirectional' ? 2 : 1;
  // Lengths that are constant are those of so many examples.
  const batch: Dimension = sequences === undefined ? B : sequences.data.length;
  const shapes: Readonly<Record<Given, readonly Dimension[]>> = {
    bias: [directions, 2 * gates * HIDDEN],
    initial: [directions, batch, HIDDEN],
    memory: [directions, batch, HIDDEN],
    peepholes: [directions, 3 * HIDDEN],
  };
  return {
    op,
    about,
    inputs: [
      [STEPS, batch, FEATURES],
      [directions, gates * HIDDEN, FEATURES],
      [directions, gates * HIDDEN, HIDDEN],
      ...given.map((name) => shapes[name]),
    ],
    build: (b, x, w, r, ...rest) => {
      const input = (name: Given) => rest[given.indexOf(name)] ?? '';
      const ends = sequences === undefined ? '' : b.constant(sequences);
      const optional = [input('bias'), ends, input('initial'), input('memory'), input('peepholes')];
      const inputs = [x ?? '', w ?? '', r ?? '', ...optional.slice(0, op === 'LSTM' ? 5 : 3)];
      const outputs = ['y', 'last', 'memory'].slice(0, op === 'LSTM' ? 3 : 2).map((name) => b.fresh(name));
      b.add(op, inputs, { hidden_size: int(HIDDEN), ...attributes }, outputs);
      return outputs[result] ?? '';
    },
    domain: [-1, 1],
    dataType: 'float32',
    // Clipping has kinks that differences must not cross.
    step: attributes.clip === undefined ? 1e-2 : 1e-3,
  };
};

const both = { direction: string('bidirectional') };

export const RECURRENT: readonly Case[] = [
  recurrent('LSTM', 'forward'),
  recurrent('LSTM', 'both directions, initial states', both, ['bias', 'initial', 'memory']),
  recurrent('LSTM', 'peepholes, last state', {}, ['bias', 'initial', 'memory', 'peepholes'], 1),
  recurrent('LSTM', 'reverse, no bias, cell state', { direction: string('reverse') }, [], 2),
  recurrent('LSTM', 'other activations', {
    activations: { type: 'strings', value: ['Sigmoid', 'Softsign', 'Softsign'] },
  }),
  recurrent('GRU', 'forward'),
  recurrent('GRU', 'both directions, initial state', both, ['bias', 'initial']),
  recurrent('GRU', 'reset after the product', { linear_before_reset: int(1) }, ['bias'], 1),
  recurrent('GRU', 'reverse, no bias', { direction: string('reverse') }, []),
  recurrent('RNN', 'forward'),
  recurrent('RNN', 'both directions', both, ['bias', 'initial']),
  recurrent('RNN', 'last state', {}, [], 1),
  recurrent('LSTM', 'clipped', { clip: float(0.3) }, ['bias', 'initial', 'memory', 'peepholes']),
  recurrent('GRU', 'clipped', { clip: float(0.3) }),
  recurrent('GRU', 'clipped, reset after the product', { clip: float(0.3), linear_before_reset: int(1) }),
  recurrent('RNN', 'clipped', { clip: float(0.3) }),
  recurrent('LSTM', 'coupled gates', { input_forget: int(1) }, ['bias', 'initial', 'memory']),
  recurrent('LSTM', 'activations with parameters', {
    ...activations('HardSigmoid', 'ScaledTanh', 'Elu'),
    activation_alpha: floats(0.3, 1.2, 0.7),
    activation_beta: floats(0.4, 0.8),
  }),
  recurrent('RNN', 'both directions, activations of their own', {
    ...both,
    ...activations('LeakyRelu', 'Affine'),
    activation_alpha: floats(0.2, 0.6),
    activation_beta: floats(0.1),
  }),
  recurrent('RNN', 'activations by default parameters', activations('Softplus')),
  recurrent('GRU', 'other activations', activations('HardSigmoid', 'Relu')),
  recurrent('LSTM', 'lengths', {}, ['bias', 'initial', 'memory'], 0, lengths(3, 1)),
  recurrent('LSTM', 'lengths, both directions', both, ['bias', 'initial', 'memory'], 0, lengths(2, 3)),
  recurrent('LSTM', 'lengths, last cell state', {}, ['bias'], 2, lengths(1, 2)),
  recurrent(
    'GRU',
    'lengths, reverse, last state',
    { direction: string('reverse') },
    ['bias', 'initial'],
    1,
    lengths(2, 3),
  ),
  recurrent('RNN', 'lengths', {}, ['bias'], 0, lengths(2, 1)),
];
