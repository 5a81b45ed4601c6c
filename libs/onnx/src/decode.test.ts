import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  TensorProto_DataLocation,
} from '../gen/onnx.ts';
import { GraphBuilder } from './builder.ts';
import { decodeModel } from './decode.ts';
import { encodeModel } from './encode.ts';
import { externalDataIn } from './external-data.ts';
import { OnnxError } from './model.ts';

/** A message with the given fields, the others empty. */
const of = <T extends object>(type: { decode(bytes: Uint8Array): T }, fields: Partial<T>): T => ({
  ...type.decode(new Uint8Array()),
  ...fields,
});

const node = (opType: string, input: string[], output: string[], more: Partial<NodeProto> = {}) =>
  of(NodeProto, { opType, input, output, ...more });

const modelOf = (nodes: NodeProto[], functions: FunctionProto[] = [], more: Partial<GraphProto> = {}) =>
  ModelProto.encode(
    of(ModelProto, {
      irVersion: 10n,
      opsetImport: [
        { domain: '', version: 21n },
        { domain: 'local', version: 1n },
      ],
      graph: of(GraphProto, {
        name: 'g',
        node: nodes,
        input: [
          { name: 'x', type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 2n }] } } }, metadataProps: [] },
        ],
        output: [{ name: 'y', metadataProps: [] }],
        ...more,
      }),
      functions,
    }),
  ).finish();

const scaled = of(FunctionProto, {
  name: 'Scaled',
  domain: 'local',
  input: ['a', 'b'],
  output: ['c'],
  opsetImport: [{ domain: '', version: 21n }],
  attribute: ['alpha'],
  attributeProto: [of(AttributeProto, { name: 'axis', type: AttributeType.INT, i: 1n })],
  node: [
    of(NodeProto, {
      opType: 'LeakyRelu',
      input: ['a'],
      output: ['t'],
      attribute: [of(AttributeProto, { name: 'alpha', refAttrName: 'alpha', type: AttributeType.FLOAT })],
    }),
    of(NodeProto, {
      opType: 'Concat',
      input: ['t', 'b'],
      output: ['c'],
      attribute: [of(AttributeProto, { name: 'axis', refAttrName: 'axis', type: AttributeType.INT })],
    }),
  ],
});

describe('local functions', () => {
  test('calls become bodies with their own names and the attributes of the call', () => {
    const alpha = of(AttributeProto, { name: 'alpha', type: AttributeType.FLOAT, f: 0.5 });
    const { graph, domains } = decodeModel(
      modelOf(
        [
          node('Scaled', ['x', 'x'], ['m'], { domain: 'local', attribute: [alpha] }),
          node('Scaled', ['m', 'x'], ['y'], { domain: 'local' }),
        ],
        [scaled],
      ),
    );
    assert.deepEqual(
      graph.nodes.map(({ op, inputs, outputs }) => [op, inputs, outputs]),
      [
        ['LeakyRelu', ['x'], ['Scaled/0/t']],
        ['Concat', ['Scaled/0/t', 'x'], ['m']],
        ['LeakyRelu', ['m'], ['Scaled/1/t']],
        ['Concat', ['Scaled/1/t', 'x'], ['y']],
      ],
    );
    assert.deepEqual(
      graph.nodes.map(({ attributes }) => attributes),
      [
        { alpha: { type: 'float', value: 0.5 } },
        { axis: { type: 'int', value: 1 } },
        {},
        { axis: { type: 'int', value: 1 } },
      ],
    );
    assert.equal(domains.size, 0);
  });

  const calling = (name: string, callee: string, times: number) =>
    of(FunctionProto, {
      name,
      domain: 'local',
      input: ['v0'],
      output: [`v${times}`],
      node: Array.from({ length: times }, (_, i) =>
        node(callee, [`v${i}`], [`v${i + 1}`], { domain: callee === 'Neg' ? '' : 'local' }),
      ),
    });

  test('circles and explosions are refused', () => {
    const call = node('F0', ['x'], ['y'], { domain: 'local' });
    assert.throws(() => decodeModel(modelOf([call], [calling('F0', 'F0', 1)])), /call each other in a circle/);
    const levels = Array.from({ length: 24 }, (_, i) => calling(`F${i}`, i === 23 ? 'Neg' : `F${i + 1}`, 2));
    assert.throws(() => decodeModel(modelOf([call], levels)), /inlined, have more than 100000 nodes/);
  });

  test('a function in another operator set is refused', () => {
    const old = { ...scaled, opsetImport: [{ domain: '', version: 13n }] };
    assert.throws(() => decodeModel(modelOf([], [old])), /function 'Scaled' is written in opset 13, the model in 21/);
  });
});

describe('external data', () => {
  let folder: string;
  let model: string;

  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'onnx-'));
    model = path.join(folder, 'model');
    mkdirSync(path.join(model, 'inner'), { recursive: true });
    writeFileSync(path.join(model, 'inner', 'weights.bin'), Buffer.from(Float32Array.of(9, 1, 2, 3).buffer));
    writeFileSync(path.join(folder, 'secret'), 'secret12');
    symlinkSync(path.join(folder, 'secret'), path.join(model, 'link'));
  });
  after(() => rmSync(folder, { recursive: true }));

  const keeping = (entries: Record<string, string>) =>
    modelOf([node('Add', ['x', 'w'], ['y'])], [], {
      initializer: [
        of(TensorProto, {
          name: 'w',
          dataType: 1,
          dims: [2n],
          dataLocation: TensorProto_DataLocation.EXTERNAL,
          externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
        }),
      ],
    });
  const read = (entries: Record<string, string>) => decodeModel(keeping(entries), { external: externalDataIn(model) });

  test('is read from the folder given, and only with one', () => {
    const entries = { location: 'inner/weights.bin', offset: '4', length: '8' };
    assert.deepEqual([...(read(entries).graph.initializers.get('w')?.data ?? [])], [1, 2]);
    assert.throws(
      () => decodeModel(keeping(entries)),
      /tensor 'w' keeps its data in another file, 'inner\/weights.bin'/,
    );
  });

  test('nothing is waited for at a named pipe', () => {
    execFileSync('mkfifo', [path.join(model, 'pipe')]);
    assert.throws(() => read({ location: 'pipe', length: '8' }), /is no file/);
  });

  for (const location of [
    '../secret',
    'inner/../../secret',
    '/etc/passwd',
    'link',
    'inner',
    '',
    'none',
    'a\\b',
    'a\0b',
  ]) {
    test(`nothing is read from ${JSON.stringify(location)}`, () => {
      assert.throws(() => read({ location, length: '8' }), OnnxError);
    });
  }

  test('sizes are checked', () => {
    const location = 'inner/weights.bin';
    assert.throws(() => read({ location }), /needs 8 bytes, holds 16/);
    assert.throws(() => read({ location, length: '1e99' }), /length '1e99' of its external data is no size/);
    assert.throws(() => read({ location, offset: '-4', length: '8' }), /offset '-4'/);
    assert.throws(() => read({ location, offset: '12', length: '8' }), /has 16 bytes; 8 from 12 on are asked for/);
  });
});

describe('what is no model', () => {
  const tensor = (more: Partial<TensorProto>) =>
    modelOf([node('Add', ['x', 'w'], ['y'])], [], {
      initializer: [of(TensorProto, { name: 'w', dataType: 1, ...more })],
    });

  test('claims beyond what is there', () => {
    assert.throws(() => decodeModel(tensor({ dims: [2n ** 40n] })), /needs .* elements, holds 0|needs .* bytes/);
    assert.throws(() => decodeModel(tensor({ dims: [2n ** 52n, 2n ** 52n, 2n ** 62n] })), OnnxError);
    assert.throws(() => decodeModel(tensor({ dims: [-1n] })), /axis size -1/);
    assert.throws(() => decodeModel(tensor({ dims: new Array(100).fill(1n), floatData: [1] })), /100 axes/);
    assert.throws(() => decodeModel(tensor({ dims: [1n], dataType: 99 })), /element type 99/);
  });

  test('names twice or missing', () => {
    const twice = [1, 2].map(() => of(TensorProto, { name: 'w', dataType: 1, dims: [0n] }));
    assert.throws(() => decodeModel(modelOf([], [], { initializer: twice })), /two initializers are named 'w'/);
    const unnamed = [of(TensorProto, { dataType: 1, dims: [0n] })];
    assert.throws(() => decodeModel(modelOf([], [], { initializer: unnamed })), /an initializer has no name/);
    const attribute = [of(AttributeProto, { name: 'a', type: AttributeType.INT, i: 1n })];
    const doubled = node('Neg', ['x'], ['y'], { attribute: [...attribute, ...attribute] });
    assert.throws(() => decodeModel(modelOf([doubled])), /two attributes 'a'/);
  });

  test('truncated at any byte', () => {
    const b = new GraphBuilder();
    b.output(b.plus(b.input('x', ['batch', 2]), b.scalar(2)), ['batch', 2], 'float32', 'y');
    const bytes = encodeModel(b.model());
    for (let length = 0; length < bytes.length; length++) {
      try {
        decodeModel(bytes.subarray(0, length));
      } catch (error) {
        assert.ok(error instanceof OnnxError, `${length}: ${error}`);
      }
    }
  });

  /** A length-delimited field: the bytes behind its tag and length. */
  const field = (number: number, content: Uint8Array) => {
    const length: number[] = [];
    for (let rest = content.length; ; rest = Math.floor(rest / 128)) {
      length.push((rest % 128) + (rest >= 128 ? 128 : 0));
      if (rest < 128) break;
    }
    return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), content]);
  };
  const MILLIONS = 20 * 2 ** 20;
  const bombs: Readonly<Record<string, Buffer>> = {
    'integers one by one': field(7, field(5, field(7, new Uint8Array(MILLIONS)))),
    'levels one by one': field(7, field(5, field(5, new Uint8Array(MILLIONS)))),
    'nodes without content': field(7, Buffer.alloc(2 * 2 ** 22).fill(Buffer.from([8 + 2, 0]))),
  };
  for (const [name, bytes] of Object.entries(bombs)) {
    test(`${name}, by the million`, () => {
      const held = process.memoryUsage.rss();
      const { user } = process.cpuUsage();
      assert.throws(
        () => decodeModel(bytes),
        (error) => error instanceof OnnxError && /one by one|more than \d+ parts/.test(error.message),
      );
      assert.ok(process.cpuUsage().user - user < 1e6, 'within a second of the processor');
      assert.ok(process.memoryUsage.rss() - held < 2 ** 28);
    });
  }

  test('messages nested without end', () => {
    let nested = Buffer.alloc(0);
    for (let depth = 0; depth < 3000; depth++) nested = field([6, 5, 1][depth % 3] ?? 1, nested);
    assert.throws(() => decodeModel(field(7, nested)), /nested more than 64 deep/);
  });

  test('graphs nested without end', () => {
    let graph = of(GraphProto, { node: [node('Neg', ['x'], ['y'])] });
    for (let depth = 0; depth < 20; depth++) {
      const attribute = [of(AttributeProto, { name: 'body', type: AttributeType.GRAPH, g: graph })];
      graph = of(GraphProto, { node: [node('Loop', [], ['y'], { attribute })] });
    }
    assert.throws(() => decodeModel(modelOf(graph.node)), /nested more than 16 deep/);
  });
});
