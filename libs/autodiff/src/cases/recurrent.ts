import { type Attributes, type Dimension, int, string } from '@faultline/onnx';
import { B, type Case } from './case.ts';

const STEPS = 3;
const FEATURES = 2;
const HIDDEN = 2;

const GATES = { LSTM: 4, GRU: 3, RNN: 1 } as const;

/** Inputs of a recurrent node by name; those not listed are left out. */
type Given = 'bias' | 'initial' | 'memory' | 'peepholes';

const recurrent = (
  op: keyof typeof GATES,
  about: string,
  attributes: Attributes = {},
  given: readonly Given[] = ['bias'],
  result = 0,
): Case => {
  const gates = GATES[op];
  const directions = attributes.direction?.type === 'string' && attributes.direction.value === 'bidirectional' ? 2 : 1;
  const shapes: Readonly<Record<Given, readonly Dimension[]>> = {
    bias: [directions, 2 * gates * HIDDEN],
    initial: [directions, B, HIDDEN],
    memory: [directions, B, HIDDEN],
    peepholes: [directions, 3 * HIDDEN],
  };
  return {
    op,
    about,
    inputs: [
      [STEPS, B, FEATURES],
      [directions, gates * HIDDEN, FEATURES],
      [directions, gates * HIDDEN, HIDDEN],
      ...given.map((name) => shapes[name]),
    ],
    build: (b, x, w, r, ...rest) => {
      const input = (name: Given) => rest[given.indexOf(name)] ?? '';
      const optional = [input('bias'), '', input('initial'), input('memory'), input('peepholes')];
      const inputs = [x ?? '', w ?? '', r ?? '', ...optional.slice(0, op === 'LSTM' ? 5 : 3)];
      const outputs = ['y', 'last', 'memory'].slice(0, op === 'LSTM' ? 3 : 2).map((name) => b.fresh(name));
      b.add(op, inputs, { hidden_size: int(HIDDEN), ...attributes }, outputs);
      return outputs[result] ?? '';
    },
    domain: [-1, 1],
    dataType: 'float32',
    step: 1e-2,
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
];
