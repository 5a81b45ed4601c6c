import {
  float,
  floatAttribute,
  intAttribute,
  integers,
  type Node,
  stringAttribute,
  type Tensor,
} from '@faultline/onnx';
import { fixedSize, range, type Value } from '../dims.ts';
import type { Expressions } from '../expressions.ts';
import type { RuleContext } from '../rule.ts';
import type { Decomposition } from './decomposition.ts';

type Activation = (value: Value) => Value;

/** Activations that a recurrent node may name, with the defaults of their parameters. */
const ACTIVATIONS: Readonly<
  Record<
    string,
    {
      readonly alpha?: number;
      readonly beta?: number;
      readonly write: (e: Expressions, x: Value, alpha: number, beta: number) => Value;
    }
  >
> = {
  Affine: { alpha: 1, beta: 0, write: (e, x, alpha, beta) => e.add(e.scale(x, alpha), e.scalar(beta, x.dataType)) },
  Elu: { alpha: 1, write: (e, x, alpha) => e.node('Elu', [x], x.dims, { alpha: float(alpha) }) },
  HardSigmoid: {
    alpha: 0.2,
    beta: 0.5,
    write: (e, x, alpha, beta) => e.node('HardSigmoid', [x], x.dims, { alpha: float(alpha), beta: float(beta) }),
  },
  LeakyRelu: { alpha: 0.01, write: (e, x, alpha) => e.node('LeakyRelu', [x], x.dims, { alpha: float(alpha) }) },
  Relu: { write: (e, x) => e.unary('Relu', x) },
  ScaledTanh: { alpha: 1, beta: 1, write: (e, x, alpha, beta) => e.scale(e.unary('Tanh', e.scale(x, beta)), alpha) },
  Sigmoid: { write: (e, x) => e.unary('Sigmoid', x) },
  Softplus: { write: (e, x) => e.unary('Softplus', x) },
  Softsign: { write: (e, x) => e.unary('Softsign', x) },
  Tanh: { write: (e, x) => e.unary('Tanh', x) },
  ThresholdedRelu: {
    alpha: 1,
    write: (e, x, alpha) => e.node('ThresholdedRelu', [x], x.dims, { alpha: float(alpha) }),
  },
};

/** One direction of a recurrent layer. */
interface Direction {
  /** 0 or 1: its place along the axis of directions. */
  readonly index: number;
  readonly backward: boolean;
  readonly activations: readonly Activation[];
}

/** The weights of one direction: recurrent ones transposed [hidden, gates x hidden], biases [gates x hidden]. */
interface Cell {
  readonly hidden: number;
  readonly recurrent: Value;
  readonly inputBias: Value | undefined;
  readonly recurrentBias: Value | undefined;
  readonly peepholes: Value | undefined;
  readonly activations: readonly Activation[];
}

/** Hidden state first, then whatever else the cell carries: each [batch, hidden]. */
type State = readonly Value[];

/** One step of a cell from what the input gives it, x W^T with biases as the cell wants them: [batch, gates x hidden]. */
type CellStep = (c: RuleContext, cell: Cell, projected: Value, state: State) => State;

const numbersOf = (c: RuleContext, name: string): number[] => {
  const given = c.node.attributes[name];
  return given?.type === 'floats' ? [...given.value] : [];
};

/** Parameters are consumed in the order of the activations that take them. */
function activationsOf(c: RuleContext, defaults: readonly string[]): Activation[] {
  const given = c.node.attributes.activations;
  const names = given?.type === 'strings' ? given.value : [...defaults, ...defaults];
  const [alphas, betas] = [numbersOf(c, 'activation_alpha'), numbersOf(c, 'activation_beta')];
  const clip = floatAttribute(c.node, 'clip', 0);
  return names.map((name, at) => {
    const op = Object.keys(ACTIVATIONS).find((known) => known.toLowerCase() === name.toLowerCase());
    const activation = op === undefined ? undefined : ACTIVATIONS[op];
    if (activation === undefined)
      throw c.fail(`activation '${name}' has no rule here; those of ${Object.keys(ACTIVATIONS)} have`);
    const alpha = activation.alpha === undefined ? 0 : (alphas.shift() ?? activation.alpha);
    const beta = activation.beta === undefined ? 0 : (betas.shift() ?? activation.beta);
    const bound = at % defaults.length < CLIPPED ? clip : 0;
    return (value) => activation.write(c.e, bound === 0 ? value : clipped(c, value, bound), alpha, beta);
  });
}

/** Activations of a cell whose input is clipped: those of the gates and the candidate, not that of an LSTM's cell state. */
const CLIPPED = 2;

const clipped = ({ e }: RuleContext, value: Value, bound: number): Value =>
  e.node('Clip', [value, e.scalar(-bound, value.dataType), e.scalar(bound, value.dataType)], value.dims);

function directionsOf(c: RuleContext, defaults: readonly string[]): Direction[] {
  const direction = stringAttribute(c.node, 'direction', 'forward');
  const all = activationsOf(c, defaults);
  return (direction === 'bidirectional' ? [false, true] : [direction === 'reverse']).map((backward, index) => ({
    index,
    backward,
    activations: all.slice(index * defaults.length, (index + 1) * defaults.length),
  }));
}

/** Lengths of the batch's sequences, where they are not all the whole one: [batch]. */
function lengthsOf(c: RuleContext, steps: number): Value | undefined {
  // The stock runtime does not run it either; `standardModel` puts the sequence first.
  if (intAttribute(c.node, 'layout', 0) !== 0) throw c.fail('layout 1 has no rule; put the sequence first');
  if (!c.has(4)) return undefined;
  const lengths = c.constant(4);
  const whole = lengths !== undefined && integers(lengths).every((length) => length === steps);
  return whole ? undefined : c.input(4);
}

/** Whether each sequence has a step t: [batch, 1]. */
const runningAt = ({ e }: RuleContext, lengths: Value, t: number): Value =>
  e.unsqueeze(
    e.compare(
      'Less',
      e.shared(`int32 ${t}`, () => int32Scalar(t)),
      lengths,
    ),
    [1],
  );

const int32Scalar = (value: number): Tensor => ({ dataType: 'int32', dims: [], data: Int32Array.of(value) });

/** Slice `index` of the axis of directions, that axis dropped. */
const ofDirection = ({ e }: RuleContext, value: Value, index: number): Value =>
  e.reshape(e.arrange(value, 0, [index]), value.dims.slice(1));

/** Parts of equal size along the last axis. */
function parts({ e }: RuleContext, value: Value, count: number): Value[] {
  const axis = value.dims.length - 1;
  const size = fixedSize(value.dims, axis, 'gates') / count;
  return e.split(value, axis, new Array<number>(count).fill(size));
}

/**
 * Unrolls a recurrent layer over its sequence, whose length must be fixed. The products of the inputs with their weights
 * are one for all steps.
 */
function unroll(
  c: RuleContext,
  options: {
    readonly gates: number;
    readonly activations: readonly string[];
    /** Whether all biases add to the inputs' products, as they do where the cell adds both products. */
    readonly biasesJoin: boolean;
    /** Inputs that hold initial states. */
    readonly initial: readonly number[];
    readonly peepholes?: number;
    readonly step: CellStep;
  },
): (Value | undefined)[] {
  const { e, node } = c;
  const x = c.input(0);
  const steps = fixedSize(x.dims, 0, `gradient of ${node.op}, whose sequence must be of fixed length`);
  const lengths = lengthsOf(c, steps);
  const [, batch = 1] = x.dims;
  const hidden = fixedSize(c.input(2).dims, 2, 'recurrent weights');
  const runs = directionsOf(c, options.activations).map(({ index, backward, activations }) => {
    const [inputBias, recurrentBias] = c.has(3) ? parts(c, ofDirection(c, c.input(3), index), 2) : [];
    const cell: Cell = {
      hidden,
      recurrent: e.transposeLast(ofDirection(c, c.input(2), index)),
      inputBias,
      recurrentBias,
      peepholes:
        options.peepholes !== undefined && c.has(options.peepholes)
          ? ofDirection(c, c.input(options.peepholes), index)
          : undefined,
      activations,
    };
    let projected = e.matmul(x, e.transposeLast(ofDirection(c, c.input(1), index)));
    if (inputBias !== undefined) projected = e.add(projected, inputBias);
    if (recurrentBias !== undefined && options.biasesJoin) projected = e.add(projected, recurrentBias);
    const each = e
      .split(projected, 0, new Array<number>(steps).fill(1))
      .map((value) => e.reshape(value, [batch, options.gates * hidden]));
    let state: State = options.initial.map((i) =>
      c.has(i) ? ofDirection(c, c.input(i), index) : e.floating(new Float64Array(hidden), [1, hidden], x.dataType),
    );
    const outputs = new Array<Value>(steps);
    for (const t of backward ? range(0, steps).reverse() : range(0, steps)) {
      const given = each[t];
      if (given === undefined) throw c.fail('its sequence is empty');
      const next = options.step(c, cell, given, state);
      // Behind its end a sequence keeps its state, and its outputs are zeros.
      const running = lengths && runningAt(c, lengths, t);
      const before = state;
      state = running === undefined ? next : next.map((value, i) => e.where(running, value, required(before[i])));
      const [h] = next;
      const shown = running === undefined || h === undefined ? h : e.mask(running, h);
      if (shown !== undefined) outputs[t] = e.reshape(shown, [1, 1, batch, hidden]);
    }
    return { outputs: e.concat(outputs, 0), state };
  });
  const last = options.initial.map((_, i) =>
    e.concat(
      runs.flatMap(({ state }) => {
        const value = state[i];
        return value === undefined ? [] : [e.reshape(value, [1, batch, hidden])];
      }),
      0,
    ),
  );
  return [
    e.concat(
      runs.map(({ outputs }) => outputs),
      1,
    ),
    ...last,
  ];
}

const activated = (cell: Cell, i: number, value: Value): Value => {
  const activation = cell.activations[i];
  if (activation === undefined) throw new RangeError('an activation is missing');
  return activation(value);
};

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new RangeError('a gate is missing');
  return value;
}

/** Gates i, o, f and candidate c, with peepholes onto the cell state where given (the operator's documentation). */
const lstmStep: CellStep = (c, cell, projected, [h, memory]) => {
  const { e } = c;
  const gates = parts(c, e.add(projected, e.matmul(required(h), cell.recurrent)), 4).map(required);
  const [i, o, f, candidate] = gates;
  const held = required(memory);
  const peeps = cell.peepholes === undefined ? [] : parts(c, cell.peepholes, 3);
  const seeing = (gate: Value | undefined, peephole: Value | undefined, seen: Value) =>
    peephole === undefined ? required(gate) : e.add(required(gate), e.multiply(peephole, seen));
  const input = activated(cell, 0, seeing(i, peeps[0], held));
  // Coupled gates forget what they do not take in.
  const coupled = intAttribute(c.node, 'input_forget', 0) === 1;
  const forget = coupled
    ? e.subtract(e.scalar(1, held.dataType), input)
    : activated(cell, 0, seeing(f, peeps[2], held));
  const next = e.add(e.multiply(forget, held), e.multiply(input, activated(cell, 1, required(candidate))));
  const output = activated(cell, 0, seeing(o, peeps[1], next));
  return [e.multiply(output, activated(cell, 2, next)), next];
};

export const lstm: Decomposition = (c) =>
  unroll(c, {
    gates: 4,
    activations: ['Sigmoid', 'Tanh', 'Tanh'],
    biasesJoin: true,
    initial: [5, 6],
    peepholes: 7,
    step: lstmStep,
  });

/** Gates z, r and candidate h; the reset gate acts before or after the recurrent product. */
const gruStep =
  (node: Node): CellStep =>
  (c, cell, projected, [before]) => {
    const { e } = c;
    const h = required(before);
    const [xz, xr, xh] = parts(c, projected, 3).map(required);
    const [bz, br, bh] = cell.recurrentBias === undefined ? [] : parts(c, cell.recurrentBias, 3);
    const [wz, wr, wh] = parts(c, cell.recurrent, 3).map(required);
    const plus = (value: Value, bias: Value | undefined) => (bias === undefined ? value : e.add(value, bias));
    const z = activated(cell, 0, plus(e.add(required(xz), e.matmul(h, required(wz))), bz));
    const r = activated(cell, 0, plus(e.add(required(xr), e.matmul(h, required(wr))), br));
    const recalled =
      intAttribute(node, 'linear_before_reset', 0) === 0
        ? plus(e.matmul(e.multiply(r, h), required(wh)), bh)
        : e.multiply(r, plus(e.matmul(h, required(wh)), bh));
    const candidate = activated(cell, 1, e.add(required(xh), recalled));
    return [e.add(candidate, e.multiply(z, e.subtract(h, candidate)))];
  };

export const gru: Decomposition = (c) =>
  unroll(c, {
    gates: 3,
    activations: ['Sigmoid', 'Tanh'],
    biasesJoin: false,
    initial: [5],
    step: gruStep(c.node),
  });

export const rnn: Decomposition = (c) =>
  unroll(c, {
    gates: 1,
    activations: ['Tanh'],
    biasesJoin: true,
    initial: [5],
    step: ({ e }, cell, projected, [h]) => [
      activated(cell, 0, e.add(projected, e.matmul(required(h), cell.recurrent))),
    ],
  });
