import { floatAttribute, intAttribute, integers, type Node, stringAttribute } from '@faultline/onnx';
import { fixedSize, range, type Value } from '../dims.ts';
import type { RuleContext } from '../rule.ts';
import type { Decomposition } from './decomposition.ts';

/** Activations without parameters that a recurrent node may name. */
const ACTIVATIONS: ReadonlySet<string> = new Set(['Sigmoid', 'Tanh', 'Relu', 'Softsign', 'Softplus']);

type Activation = (value: Value) => Value;

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

function activationsOf(c: RuleContext, defaults: readonly string[]): Activation[] {
  const given = c.node.attributes.activations;
  const names = given?.type === 'strings' ? given.value : [...defaults, ...defaults];
  return names.map((name) => {
    const op = [...ACTIVATIONS].find((known) => known.toLowerCase() === name.toLowerCase());
    if (op === undefined) throw c.fail(`activation '${name}' has no rule here; those of ${[...ACTIVATIONS]} have`);
    return (value) => c.e.unary(op, value);
  });
}

function directionsOf(c: RuleContext, defaults: readonly string[]): Direction[] {
  const direction = stringAttribute(c.node, 'direction', 'forward');
  const all = activationsOf(c, defaults);
  return (direction === 'bidirectional' ? [false, true] : [direction === 'reverse']).map((backward, index) => ({
    index,
    backward,
    activations: all.slice(index * defaults.length, (index + 1) * defaults.length),
  }));
}

function checkForm(c: RuleContext, steps: number): void {
  const { node } = c;
  if (intAttribute(node, 'layout', 0) !== 0) throw c.fail('layout 1 has no rule; put the sequence first');
  if (floatAttribute(node, 'clip', 0) !== 0) throw c.fail('clipped activations have no rule');
  if (intAttribute(node, 'input_forget', 0) !== 0) throw c.fail('coupled input and forget gates have no rule');
  if (!c.has(4)) return;
  const lengths = c.constant(4);
  if (lengths === undefined || integers(lengths).some((length) => length !== steps)) {
    throw c.fail('sequences of different lengths (sequence_lens, input 4) have no rule');
  }
}

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
  checkForm(c, steps);
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
      state = options.step(c, cell, given, state);
      const [h] = state;
      if (h !== undefined) outputs[t] = e.reshape(h, [1, 1, batch, hidden]);
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
  const forget = activated(cell, 0, seeing(f, peeps[2], held));
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
