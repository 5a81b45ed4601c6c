import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GraphBuilder } from './builder.ts';
import { checkGraph } from './check.ts';
import { type Graph, int, ints, type Node, OnnxError } from './model.ts';
import { float32, int64 } from './tensor.ts';

const node = (op: string, inputs: string[], outputs: string[], more: Partial<Node> = {}): Node => ({
  name: '',
  op,
  domain: '',
  inputs,
  outputs,
  attributes: {},
  ...more,
});

const graphOf = (nodes: Node[], more: Partial<Graph> = {}): Graph => ({
  name: 'g',
  nodes,
  inputs: [{ name: 'x', dataType: 'float32', dims: ['batch', 2] }],
  outputs: [{ name: 'y', dataType: 'unknown', dims: undefined }],
  initializers: new Map(),
  ...more,
});

describe('a graph must hang together', () => {
  const refused = (graph: Graph, message: RegExp) =>
    assert.throws(
      () => checkGraph(graph),
      (error) => error instanceof OnnxError && message.test(error.message),
    );

  test('circles, missing values, values made twice, unknown domains', () => {
    checkGraph(graphOf([node('Neg', ['x'], ['y'])]));
    refused(
      graphOf([node('Add', ['x', 'b'], ['a']), node('Neg', ['a'], ['b']), node('Neg', ['b'], ['y'])]),
      /reads 'b' before it is made/,
    );
    refused(graphOf([node('Add', ['x', 'w'], ['y'])]), /reads 'w', which nothing makes/);
    refused(graphOf([node('Neg', ['x'], ['y']), node('Abs', ['x'], ['y'])]), /makes 'y', which is made already/);
    refused(graphOf([node('Neg', ['x'], ['x'])]), /makes 'x', which is made already/);
    refused(graphOf([node('Neg', ['x'], ['z'])]), /an output of the graph reads 'y'/);
    refused(
      graphOf([node('Magic', ['x'], ['y'], { domain: 'org.example' })]),
      /no operators of the domain 'org.example'/,
    );
    refused(graphOf([node('Neg', ['x'], ['y'])], { outputs: [] }), /no outputs/);
  });

  test('subgraphs see what was made before them', () => {
    const inner = graphOf([node('Neg', ['a'], ['b'])], {
      inputs: [],
      outputs: [{ name: 'b', dataType: 'unknown', dims: undefined }],
    });
    const choose = node('If', ['x'], ['y'], { attributes: { then_branch: { type: 'graph', value: inner } } });
    checkGraph(graphOf([node('Neg', ['x'], ['a']), choose]));
    refused(graphOf([choose, node('Neg', ['x'], ['a'])]), /Neg node 'b' reads 'a'/);
  });
});

describe('sizes beyond memory are refused before the runtime sees them', () => {
  const bomb = (build: (b: GraphBuilder, x: string) => string): Graph => {
    const b = new GraphBuilder();
    b.output(build(b, b.input('x', ['batch', 4, 4])), undefined, 'unknown', 'y');
    return b.graph();
  };
  const LARGE = 2 ** 20;
  const BOMBS: Readonly<Record<string, Graph>> = {
    ConstantOfShape: bomb((b, x) => b.plus(x, b.op('ConstantOfShape', [b.ints([LARGE, LARGE])]))),
    Expand: bomb((b, x) => b.op('Expand', [x, b.ints([LARGE, 16, 1, 1, 1])])),
    Tile: bomb((b, x) => b.op('Tile', [x, b.ints([1, LARGE, LARGE])])),
    Pad: bomb((b, x) => b.op('Pad', [x, b.ints([0, 0, LARGE, 0, LARGE, 0])])),
    Resize: bomb((b, x) => b.op('Resize', [x, '', b.constant(float32([1, 1e5, 1e5]))])),
    Range: bomb((b, x) => {
      const [from, to, by] = [0, 2 ** 40, 1].map((value) => b.constant(int64([value], [])));
      return b.plus(x, b.op('Cast', [b.op('Range', [from ?? '', to ?? '', by ?? ''])], { to: int(1) }));
    }),
    'doubling by Concat': bomb((b, x) =>
      Array.from({ length: 40 }).reduce<string>((value) => b.concat([value, value], 1), x),
    ),
    'outer products': bomb((b, x) => {
      let column = b.reshape(x, [-1, 1]);
      for (let i = 0; i < 4; i++) column = b.reshape(b.times(column, b.reshape(column, [1, -1])), [-1, 1]);
      return column;
    }),
    'padded Conv of a value of unknown size': bomb((b, x) =>
      b.op('Conv', [b.op('Einsum', [x]), b.constant(float32([1], [1, 1, 1]))], { pads: ints([1, 2 ** 31]) }),
    ),
    'padded Conv': bomb((b, x) =>
      b.op('Conv', [b.op('Unsqueeze', [x, b.ints([1])]), b.constant(float32([1], [1, 1, 1, 1]))], {
        pads: ints([LARGE, LARGE, 0, 0]),
      }),
    ),
    'strided ConvTranspose': bomb((b, x) =>
      b.op('ConvTranspose', [b.op('Unsqueeze', [x, b.ints([1])]), b.constant(float32([1], [1, 1, 1, 1]))], {
        strides: ints([LARGE, LARGE]),
      }),
    ),
  };
  for (const [name, graph] of Object.entries(BOMBS)) {
    test(name, () => {
      assert.throws(
        () => checkGraph(graph),
        (error) => error instanceof OnnxError && /has \d.* elements or more/.test(error.message),
      );
    });
  }

  test('Resize by anything but one number for each axis, which crashes the runtime', () => {
    const b = new GraphBuilder();
    const x = b.input('x', ['batch', 2, 4]);
    b.output(b.op('Resize', [x, '', x]));
    assert.throws(() => checkGraph(b.graph()), /Resize node .*: input 2 must be a vector/);
    const c = new GraphBuilder();
    c.output(c.op('Resize', [c.input('x', ['batch', 2, 4]), '', c.constant(float32([1, 2]))]));
    assert.throws(() => checkGraph(c.graph()), /input 2 must be a vector with one element for each axis/);
  });

  test('sizes that arithmetic on shapes makes', () => {
    const b = new GraphBuilder();
    const x = b.input('x', ['batch', 40, 50]);
    const shape = b.op('Shape', [b.op('Tanh', [x])]);
    b.output(b.op('Expand', [b.scalar(1), b.op('Mul', [shape, b.op('Mul', [shape, shape])])]));
    assert.throws(() => checkGraph(b.graph()), /Expand node .* elements or more/);
  });

  test('an axis of any size is not taken for too small a one', () => {
    const b = new GraphBuilder();
    const x = b.op('Unsqueeze', [b.input('x', ['batch', 'samples']), b.ints([1])]);
    b.output(b.op('Conv', [x, b.constant(float32(new Float32Array(400), [1, 1, 400]))], { strides: ints([160]) }));
    checkGraph(b.graph());
  });

  test('loops without an end, or with one too far', () => {
    const loop = (rounds: string) => {
      const body = graphOf([node('Identity', ['go'], ['on']), node('Neg', ['v'], ['w'])], {
        inputs: ['i', 'go', 'v'].map((name) => ({ name, dataType: 'unknown', dims: undefined })),
        outputs: ['on', 'w'].map((name) => ({ name, dataType: 'unknown', dims: undefined })),
      });
      return graphOf(
        [node('Loop', [rounds, '', 'x'], ['y'], { attributes: { body: { type: 'graph', value: body } } })],
        {
          initializers: new Map([
            ['many', int64([2 ** 40], [])],
            ['few', int64([3], [])],
          ]),
        },
      );
    };
    checkGraph(loop('few'));
    assert.throws(() => checkGraph(loop('many')), /runs 1099511627776 rounds/);
    assert.throws(() => checkGraph(loop('')), /may never end/);
  });

  test('an input of absurd shape', () => {
    const b = new GraphBuilder();
    b.output(b.negate(b.input('x', [LARGE, LARGE])));
    assert.throws(() => checkGraph(b.graph()), /input 'x' has \d+ elements or more/);
  });
});
