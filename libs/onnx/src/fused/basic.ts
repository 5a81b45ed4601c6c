import type { GraphBuilder } from '../builder.ts';
import { float, floatAttribute, int, intAttribute, ints, type Node, string, stringAttribute } from '../model.ts';
import { int64 } from '../tensor.ts';
import { floatsAttribute, input, last, numberLike, type Rewrite, wants, without } from './rewrite.ts';

const ACTIVATION_PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  LeakyRelu: ['alpha'],
  HardSigmoid: ['alpha', 'beta'],
  Elu: ['alpha'],
};

/** The activation that a fused node applies at its end; Clip's bounds are inputs now. */
function activated(node: Node, b: GraphBuilder, value: string, parameters: readonly number[]): Node | undefined {
  const activation = stringAttribute(node, 'activation', '');
  if (activation === '') return last(node, 'Identity', [value]);
  if (activation === 'Clip') {
    const [low = 0, high = 0] = parameters;
    return last(node, 'Clip', [value, numberLike(b, low, value), numberLike(b, high, value)]);
  }
  const names = ACTIVATION_PARAMETERS[activation] ?? [];
  if (names.length === 0 && !['Relu', 'Tanh', 'Sigmoid', 'Softplus', 'HardSwish'].includes(activation))
    return undefined;
  const given = names.flatMap((name, i) =>
    parameters[i] === undefined ? [] : [[name, float(parameters[i])] as const],
  );
  return last(node, activation, [value], Object.fromEntries(given));
}

export const fusedConv: Rewrite = (node, b) => {
  const plain = without(node, 'activation', 'activation_params');
  const convolved = b.op('Conv', node.inputs.slice(0, 3), plain);
  const sum = input(node, 3) === '' ? convolved : b.plus(convolved, input(node, 3));
  return activated(node, b, sum, floatsAttribute(node, 'activation_params'));
};

export const fusedGemm: Rewrite = (node, b) => {
  const own = ['activation', 'activation_alpha', 'activation_beta', 'activation_gamma'];
  const multiplied = b.op('Gemm', node.inputs, without(node, ...own));
  const parameters = own.slice(1).flatMap((name) => (node.attributes[name] ? [floatAttribute(node, name, 0)] : []));
  return activated(node, b, multiplied, parameters);
};

/** Matrix product of transposed operands, scaled; their rank is unknown, so an ellipsis stands for the batch. */
export const fusedMatMul: Rewrite = (node, b) => {
  const on = (name: string) => intAttribute(node, name, 0) === 1;
  // Batch axes may lie between the two of the matrix.
  const term = (rows: string, columns: string, batchInside: boolean) =>
    batchInside ? `${rows}...${columns}` : `...${rows}${columns}`;
  const left = on('transA') ? term('j', 'i', on('transBatchA')) : term('i', 'j', on('transBatchA'));
  const right = on('transB') ? term('k', 'j', on('transBatchB')) : term('j', 'k', on('transBatchB'));
  const alpha = floatAttribute(node, 'alpha', 1);
  const operands = [input(node, 0), input(node, 1)];
  const made =
    left === '...ij' && right === '...jk'
      ? b.op('MatMul', operands)
      : b.op('Einsum', operands, { equation: string(`${left},${right}->...ik`) });
  return last(node, 'Mul', [made, numberLike(b, alpha, made)]);
};

export const gelu =
  (approximate: 'none' | 'tanh'): Rewrite =>
  (node, b) => {
    const x = input(node, 1) === '' ? input(node, 0) : b.plus(input(node, 0), input(node, 1));
    return last(node, 'Gelu', [x], { approximate: string(approximate) });
  };

/** x sigmoid(alpha x) */
export const quickGelu: Rewrite = (node, b) => {
  const x = input(node, 0);
  const gate = b.op('Sigmoid', [b.times(x, numberLike(b, floatAttribute(node, 'alpha', 1.702), x))]);
  return last(node, 'Mul', [x, gate]);
};

/** x scale / root of the mean square over the axes from `axis` on (negative: the last ones). */
function rootMeanSquare(b: GraphBuilder, node: Node, x: string, scale: string, epsilon: number): Node {
  const axis = intAttribute(node, 'axis', -1);
  const scalar = (value: number) => b.constant(int64([value], []));
  // The number of axes may not be known yet.
  const axes =
    axis < 0
      ? b.op('Range', [scalar(axis), scalar(0), scalar(1)])
      : b.op('Range', [scalar(axis), b.op('Size', [b.op('Shape', [x])]), scalar(1)]);
  const mean = b.op('ReduceMean', [b.times(x, x), axes]);
  const root = b.op('Sqrt', [b.plus(mean, numberLike(b, epsilon, x))]);
  return last(node, 'Mul', [b.over(x, root), scale]);
}

export const rmsNormalization: Rewrite = (node, b) =>
  wants(node, 1)
    ? undefined
    : rootMeanSquare(b, node, input(node, 0), input(node, 1), floatAttribute(node, 'epsilon', 1e-5));

/** Sum of input, skip connection and bias, which is the fourth output too. */
function skipSum(node: Node, b: GraphBuilder, bias: string): string | undefined {
  if (wants(node, 1, 2)) return undefined;
  const sum = b.plus(input(node, 0), input(node, 1));
  const whole = bias === '' ? sum : b.plus(sum, bias);
  const wanted = node.outputs[3] ?? '';
  if (wanted !== '') b.add('Identity', [whole], {}, [wanted]);
  return whole;
}

/** Default epsilon of the skip normalisations. */
const SKIP_EPSILON = 1e-12;

export const skipLayerNormalization: Rewrite = (node, b) => {
  const sum = skipSum(node, b, input(node, 4));
  if (sum === undefined) return undefined;
  const epsilon = float(floatAttribute(node, 'epsilon', SKIP_EPSILON));
  const shift = input(node, 3) === '' ? [] : [input(node, 3)];
  return last(node, 'LayerNormalization', [sum, input(node, 2), ...shift], { axis: int(-1), epsilon });
};

export const skipRmsNormalization: Rewrite = (node, b) => {
  const sum = skipSum(node, b, input(node, 3));
  return sum === undefined
    ? undefined
    : rootMeanSquare(b, node, sum, input(node, 2), floatAttribute(node, 'epsilon', SKIP_EPSILON));
};

/**
 * Recurrent layers whose batch comes first, in the form of those whose sequence does, which is the one that runtimes run:
 * their values are turned on the way in and out.
 */
export const sequenceFirst: Rewrite = (node, b) => {
  if (intAttribute(node, 'layout', 0) === 0) return undefined;
  const turned = (value: string, perm: readonly number[]) => (value === '' ? '' : b.transpose(value, perm));
  const inputs = node.inputs.map((name, i) => (i === 0 || i === 5 || i === 6 ? turned(name, [1, 0, 2]) : name));
  const outputs = node.outputs.map((name) => (name === '' ? '' : b.fresh('turned')));
  b.append([{ ...node, inputs, outputs, attributes: without(node, 'layout') }]);
  const back = node.outputs.flatMap((name, i): Node[] => {
    const perm = ints(i === 0 ? [2, 0, 1, 3] : [1, 0, 2]);
    const inner = outputs[i] ?? '';
    return name === ''
      ? []
      : [{ name: '', op: 'Transpose', domain: '', inputs: [inner], outputs: [name], attributes: { perm } }];
  });
  b.append(back.slice(0, -1));
  return back.at(-1);
};
