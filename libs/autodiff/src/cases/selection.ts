import {
  type Attributes,
  type Dimension,
  float,
  float32,
  float64,
  int,
  int64,
  string,
  type Tensor,
} from '@faultline/onnx';
import { B, type Case, CURVED, LINEAR } from './case.ts';

type Build = Case['build'];
type Builder = Parameters<Build>[0];

const indices = (b: Builder, values: readonly number[], dims: readonly number[]) => b.constant(int64(values, dims));

const resized = (
  about: string,
  x: readonly number[],
  attributes: Attributes,
  size: { readonly scales: readonly number[] } | { readonly sizes: readonly number[] },
): Case => ({
  op: 'Resize',
  about,
  inputs: [x],
  build: (b, input) =>
    b.op(
      'Resize',
      'scales' in size ? [input, '', b.constant(float32([...size.scales]))] : [input, '', '', b.ints(size.sizes)],
      attributes,
    ),
  ...LINEAR,
});

const coordinates = (mode: string, name: string): Attributes => ({
  mode: string(mode),
  coordinate_transformation_mode: string(name),
});

const RESIZES: readonly Case[] = [
  ...['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel', 'half_pixel_symmetric'].flatMap((name) => [
    resized(`linear, ${name}, larger`, [1, 2, 3, 4], coordinates('linear', name), { sizes: [1, 2, 5, 7] }),
    resized(`linear, ${name}, smaller`, [1, 2, 5, 6], coordinates('linear', name), { scales: [1, 1, 0.5, 0.7] }),
    resized(`nearest, ${name}`, [1, 1, 4, 5], coordinates('nearest', name), { sizes: [1, 1, 7, 3] }),
  ]),
  ...['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'].map((name) =>
    resized(
      `nearest, ${name}`,
      [1, 1, 4, 3],
      { mode: string('nearest'), nearest_mode: string(name) },
      { scales: [1, 1, 2, 1.5] },
    ),
  ),
  resized(
    'nearest, much larger',
    [1, 1, 2, 2],
    { coordinate_transformation_mode: string('asymmetric') },
    {
      scales: [1, 1, 5, 5],
    },
  ),
  resized('cubic', [1, 1, 4, 5], { mode: string('cubic') }, { sizes: [1, 1, 7, 3] }),
  resized(
    'cubic, outside excluded',
    [1, 1, 4, 5],
    { mode: string('cubic'), exclude_outside: int(1) },
    {
      sizes: [1, 1, 7, 9],
    },
  ),
  resized('linear, antialias', [1, 1, 8, 7], { mode: string('linear'), antialias: int(1) }, { sizes: [1, 1, 3, 4] }),
  resized(
    'linear, antialias, outside excluded',
    [1, 1, 8, 7],
    {
      mode: string('linear'),
      antialias: int(1),
      exclude_outside: int(1),
    },
    { sizes: [1, 1, 3, 4] },
  ),
  resized('cubic, antialias', [1, 1, 9, 4], { mode: string('cubic'), antialias: int(1) }, { sizes: [1, 1, 4, 6] }),
  resized(
    'linear, one axis',
    [1, 2, 6],
    { mode: string('linear'), axes: { type: 'ints', value: [-1] } },
    {
      sizes: [4],
    },
  ),
  resized(
    'not larger',
    [1, 1, 4, 6],
    {
      mode: string('linear'),
      axes: { type: 'ints', value: [2, 3] },
      keep_aspect_ratio_policy: string('not_larger'),
    },
    { sizes: [8, 9] },
  ),
  {
    op: 'Resize',
    about: 'beside the batch',
    inputs: [[B, 2, 3, 3]],
    build: (b, x) => b.op('Resize', [x, '', b.constant(float32([1, 1, 2, 2]))], { mode: string('linear') }),
    ...LINEAR,
  },
];

const scattered = (
  op: string,
  about: string,
  attributes: Attributes,
  dims: readonly Dimension[][],
  build: Build,
): Case => ({
  op,
  about: [about, ...Object.keys(attributes)].join(', '),
  inputs: dims,
  build,
});

const SCATTERS: readonly Case[] = ([{}, { reduction: string('add') }] as const satisfies readonly Attributes[]).flatMap(
  (attributes): Case[] => [
    scattered(
      'ScatterElements',
      'inner axis',
      attributes,
      [
        [3, 4],
        [3, 2],
      ],
      (b, x, updates) =>
        b.op('ScatterElements', [x, indices(b, [0, 2, 1, 3, -1, 0], [3, 2]), updates], { axis: int(1), ...attributes }),
    ),
    scattered(
      'ScatterND',
      'rows',
      attributes,
      [
        [4, 3],
        [2, 3],
      ],
      (b, x, updates) => b.op('ScatterND', [x, indices(b, [2, 0], [2, 1]), updates], attributes),
    ),
    scattered(
      'ScatterND',
      'elements',
      attributes,
      [
        [2, 3, 2],
        [2, 2],
      ],
      (b, x, updates) => b.op('ScatterND', [x, indices(b, [0, 1, 1, 2], [2, 2]), updates], attributes),
    ),
  ],
);

/** Two writes to one element, ties apart. */
const REDUCED: readonly Case[] = ['max', 'min', 'mul'].flatMap((reduction): Case[] => [
  {
    op: 'ScatterElements',
    about: reduction,
    inputs: [
      [3, 4],
      [3, 3],
    ],
    build: (b, x, updates) =>
      b.op('ScatterElements', [x, indices(b, [0, 2, 0, 1, 3, 1, 2, 0, 2], [3, 3]), updates], {
        axis: int(1),
        reduction: string(reduction),
      }),
  },
  {
    op: 'ScatterND',
    about: reduction,
    inputs: [
      [4, 2],
      [3, 2],
    ],
    build: (b, x, updates) =>
      b.op('ScatterND', [x, indices(b, [2, 0, 2], [3, 1]), updates], { reduction: string(reduction) }),
  },
]);

const ZEROS: Case = {
  op: 'ScatterElements',
  about: 'product with zeros among the factors',
  inputs: [[5], [6]],
  build: (b, x, updates) => {
    const data = b.times(x, b.constant(float64([1, 0, 1, 0, 1])));
    const factors = b.times(updates, b.constant(float64([0, 1, 0, 0, 1, 1])));
    return b.op('ScatterElements', [data, indices(b, [0, 1, 2, 2, 3, 4], [6]), factors], { reduction: string('mul') });
  },
};

const CROPS: readonly Case[] = ['linear', 'nearest'].map(
  (mode): Case => ({
    op: 'Resize',
    about: `a region, ${mode}`,
    inputs: [[1, 1, 4, 5]],
    build: (b, x) =>
      b.op('Resize', [x, b.constant(float32([0, 0, 0.2, -0.3, 1, 1, 0.7, 0.9])), '', b.ints([1, 1, 3, 6])], {
        ...coordinates(mode, 'tf_crop_and_resize'),
        extrapolation_value: float(2),
      }),
    ...LINEAR,
  }),
);

const LEVELS: Tensor = { dataType: 'uint8', dims: [2, 3], data: Uint8Array.of(3, 200, 17, 90, 255, 0) };
const ZERO_POINTS: Tensor = { dataType: 'uint8', dims: [3], data: Uint8Array.of(100, 128, 7) };

const SCALES: readonly Case[] = [
  {
    op: 'DequantizeLinear',
    about: 'scale by column',
    inputs: [[3]],
    build: (b, scale) =>
      b.op('DequantizeLinear', [b.constant(LEVELS), scale, b.constant(ZERO_POINTS)], { axis: int(1) }),
    domain: [0.1, 1],
    dataType: 'float32',
    step: 0.05,
  },
  {
    op: 'DequantizeLinear',
    about: 'one scale',
    inputs: [[]],
    build: (b, scale) => b.op('DequantizeLinear', [b.constant(LEVELS), scale]),
    domain: [0.1, 1],
    dataType: 'float32',
    step: 0.05,
  },
];

export const SELECTIONS: readonly Case[] = [
  ...RESIZES,
  ...SCATTERS,
  ...REDUCED,
  ZEROS,
  ...CROPS,
  ...SCALES,
  {
    op: 'GatherElements',
    inputs: [[3, 4]],
    build: (b, x) => b.op('GatherElements', [x, indices(b, [0, 0, -1, 1, 2, 2], [3, 2])], { axis: int(1) }),
  },
  {
    op: 'GatherElements',
    about: 'outer axis',
    inputs: [[3, 2]],
    build: (b, x) => b.op('GatherElements', [x, indices(b, [0, 2, 0, 1], [2, 2])]),
  },
  { op: 'GatherND', inputs: [[3, 4]], build: (b, x) => b.op('GatherND', [x, indices(b, [0, 1, 2, 3, 0, 1], [3, 2])]) },
  {
    op: 'GatherND',
    about: 'rows',
    inputs: [[3, 2, 2]],
    build: (b, x) => b.op('GatherND', [x, indices(b, [1, 1, 0], [3, 1])]),
  },
  {
    op: 'GatherND',
    about: 'batch axis',
    inputs: [[2, 3, 2]],
    build: (b, x) => b.op('GatherND', [x, indices(b, [1, 2], [2, 1])], { batch_dims: int(1) }),
  },
  {
    op: 'GatherND',
    about: 'batch axis of any size',
    inputs: [[B, 3, 2]],
    build: (b, x) => {
      const [values, places] = [b.fresh('values'), b.fresh('places')];
      b.add('TopK', [b.reduceSum(x, [2], false), b.ints([2])], {}, [values, places]);
      return b.op('GatherND', [x, b.op('Unsqueeze', [places, b.ints([2])])], { batch_dims: int(1) });
    },
  },
  {
    op: 'TopK',
    inputs: [[B, 6]],
    build: (b, x) => {
      const [values, places] = [b.fresh('values'), b.fresh('places')];
      b.add('TopK', [x, b.ints([3])], {}, [values, places]);
      return values;
    },
  },
  {
    op: 'TopK',
    about: 'smallest, inner axis, unsorted',
    inputs: [[B, 4, 2]],
    build: (b, x) => {
      const [values, places] = [b.fresh('values'), b.fresh('places')];
      b.add('TopK', [x, b.ints([2])], { axis: int(1), largest: int(0), sorted: int(0) }, [values, places]);
      return b.reduceSum(b.times(values, values), [1]);
    },
  },
  { op: 'DepthToSpace', inputs: [[B, 8, 2, 3]], build: (b, x) => b.op('DepthToSpace', [x], { blocksize: int(2) }) },
  {
    op: 'DepthToSpace',
    about: 'columns first',
    inputs: [[B, 8, 2, 3]],
    build: (b, x) => b.op('DepthToSpace', [x], { blocksize: int(2), mode: string('CRD') }),
  },
  { op: 'SpaceToDepth', inputs: [[B, 2, 4, 2]], build: (b, x) => b.op('SpaceToDepth', [x], { blocksize: int(2) }) },
  { op: 'Trilu', inputs: [[B, 3, 3]], build: (b, x) => b.op('Trilu', [x]) },
  {
    op: 'Trilu',
    about: 'lower, shifted',
    inputs: [[B, 3, 4]],
    build: (b, x) => b.op('Trilu', [x, b.constant(int64([1], []))], { upper: int(0) }),
  },
  {
    op: 'LRN',
    inputs: [[B, 5, 2, 3]],
    build: (b, x) => b.op('LRN', [x], { size: int(3), alpha: float(0.9), beta: float(0.75), bias: float(1.5) }),
    ...CURVED,
  },
  {
    op: 'LRN',
    about: 'wider than the channels',
    inputs: [[B, 3, 2]],
    build: (b, x) =>
      b.op('Squeeze', [b.op('LRN', [b.op('Unsqueeze', [x, b.ints([3])])], { size: int(7) }), b.ints([3])]),
    ...CURVED,
  },
  { op: 'LpNormalization', inputs: [[B, 2, 3]], build: (b, x) => b.op('LpNormalization', [x], { axis: int(1) }) },
  {
    op: 'LpNormalization',
    about: 'p = 1',
    inputs: [[B, 3]],
    build: (b, x) => b.op('LpNormalization', [x], { p: int(1) }),
  },
];
