import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { encodeModel, GraphBuilder, int, int64, ints, modelOf } from '@faultline/onnx';
import { near, planOf, program, recorder, sumOfTargets, type TestProgram, targets } from './test-support/programs.ts';
import { inputs, LABELS, row, SAMPLES, twoLayerVictim } from './test-support/two-layer-victim.ts';

const victim = await twoLayerVictim();
after(() => victim[Symbol.asyncDispose]());

const nothing = recorder(new Map([['loss', ['examples']]]));
/** A step program that adds the sum of a value to its state, so that the value is needed. */
const making = (make: (b: TestProgram) => string) =>
  program((b) => {
    const value = make(b);
    const sum = b.op('ReduceSum', [value], { keepdims: int(0) });
    b.write('next/state/s', b.plus(b.read('state/s'), sum));
  });
const one = (value: number) => int64([value], []);

const BOMBS: readonly (readonly [string, (b: TestProgram) => string])[] = [
  ['a shape', (b) => b.op('ConstantOfShape', [b.ints([1e6, 1e6])])],
  ['an expansion', (b) => b.op('Expand', [b.scalar(1), b.ints([2 ** 20, 2 ** 20])])],
  ['tiles', (b) => b.op('Tile', [b.read('x/waveform', [SAMPLES]), b.ints([2 ** 20, 2 ** 20])])],
  ['a range', (b) => b.op('Range', [b.constant(one(0)), b.constant(one(2 ** 40)), b.constant(one(1))])],
  ['padding', (b) => b.op('Pad', [b.read('x/waveform', [SAMPLES]), b.ints([0, 2 ** 40, 0, 0])])],
  [
    'a long spectrum',
    (b) =>
      b.op('DFT', [
        b.op('Unsqueeze', [b.read('x/waveform', [SAMPLES]), b.ints([2])]),
        b.constant(one(2 ** 40)),
        b.constant(one(1)),
      ]),
  ],
  [
    'doubling',
    (b) => {
      let value = b.read('x/waveform', [SAMPLES]);
      for (let i = 0; i < 40; i++) value = b.op('Concat', [value, value], { axis: int(1) });
      return value;
    },
  ],
  [
    'outer products',
    (b) => {
      let value = b.reshape(b.read('x/waveform', [SAMPLES]), [-1]);
      for (let i = 0; i < 4; i++) value = b.reshape(b.times(b.reshape(value, [-1, 1]), value), [-1]);
      return value;
    },
  ],
];

for (const [about, make] of BOMBS) {
  test(`a bomb is refused before anything is made: ${about}`, async () => {
    const before = process.memoryUsage().rss;
    await assert.rejects(victim.open(planOf({ objective: sumOfTargets(), step: making(make) }), {}), {
      name: 'ProgramError',
      message: /^step program: .*(elements or more|the limit is|cannot be loaded|not a multiple)/,
    });
    assert.ok(process.memoryUsage().rss - before < 200e6);
  });
}

test('sizes that follow from sizes are worked out; sizes that follow from elements are refused', async () => {
  const flexible = making((b) => {
    const x = b.read('x/waveform', [SAMPLES]);
    const examples = b.op('Gather', [b.op('Shape', [x]), b.ints([0])]);
    return b.op('Expand', [b.scalar(1), b.op('Concat', [examples, b.ints([5])], { axis: int(0) })]);
  });
  await using loop = await victim.open(planOf({ objective: sumOfTargets(), step: flexible }), {});
  await loop.step({ steps: 1, parameters: {} });
  const fromElements = making((b) => {
    const count = b.op('Cast', [b.op('ReduceSum', [b.read('x/waveform', [SAMPLES])], { keepdims: int(0) })], {
      to: int(7),
    });
    return b.op('Expand', [b.scalar(1), b.reshape(count, [1])]);
  });
  await assert.rejects(
    victim.open(planOf({ objective: sumOfTargets(), step: fromElements }), {}),
    /step program: .*(whose size shows only when it runs|size)/,
  );
});

test('slots have the shapes of the table, and must be declared', async () => {
  const refused = (step: Uint8Array, message: RegExp) =>
    assert.rejects(victim.open(planOf({ objective: sumOfTargets(), step }), {}), message);
  const copy = (slot: string, dims: readonly (number | string)[], to = 'outcome/o') =>
    program((b) => b.write(to, b.op('Identity', [b.input(slot, dims)])));
  await refused(
    copy('x/waveform', ['examples', 5], 'next/waveform'),
    /input 'x\/waveform' is declared \[examples, 5\]; it is \[examples, 6\]/,
  );
  await refused(copy('x/frames', ['examples', 24], 'next/waveform'), /'x\/frames': the variables are waveform/);
  await refused(
    copy('logits', ['examples', LABELS]),
    /output 'outcome\/o' is \[examples, 3\]; it must be \[examples\]/,
  );
  await refused(
    copy('noise/n', ['examples', 2], 'next/state/n'),
    /'noise\/n': declare it with the loop; declared are none/,
  );
  await refused(
    copy('tap/smell', ['examples', 2], 'next/state/n'),
    /'tap\/smell': the victim's taps are audio, hidden/,
  );
  await refused(copy('const/c', ['n'], 'next/state/c'), /'const\/c' must be declared with fixed sizes/);
  await refused(copy('const/c', [1, 2], 'next/state/c'), /the step program reads 'const\/c', which was not given/);
  await refused(
    copy('seen/waveform', ['examples', SAMPLES], 'next/waveform'),
    /input 'seen\/waveform' is no slot that it may read/,
  );
});

test('a loop is estimated from its shape, and the estimate grows with it', async () => {
  const shape = {
    programs: { objective: sumOfTargets(), step: nothing },
    variables: planOf({ objective: sumOfTargets(), step: nothing }).variables,
  };
  const small = await victim.estimate({ ...shape, clips: 1, examples: 1 });
  const large = await victim.estimate({ ...shape, clips: 1, examples: 200 });
  const still = await victim.estimate({ ...shape, clips: 1, examples: 200, mode: 'evaluate' });
  assert.ok(small.residentBytes > 4 * SAMPLES && small.workingBytes > 0);
  assert.ok(large.residentBytes > 50 * small.residentBytes && large.workingBytes > 50 * small.workingBytes);
  assert.ok(still.workingBytes < large.workingBytes);
  await assert.rejects(
    victim.estimate({ ...shape, clips: 1, examples: 257 }),
    /a loop holds 1 to 256 examples, not 257/,
  );
});

test('programs of older operator sets mean what they meant', async () => {
  const b = new GraphBuilder();
  // In opset 17 ReduceMean takes its axes as an attribute.
  const mean = b.op('ReduceMean', [b.input('logits', ['examples', LABELS])], { axes: ints([1]), keepdims: int(0) });
  b.output(mean, undefined, 'unknown', 'loss');
  const objective = encodeModel(modelOf(b.graph(), 17));
  const { loss, logits } = await victim.differentiate({ inputs, targets, objective, variables: ['waveform'] });
  near(
    loss.data,
    [0, 1, 2].map((clip) => row(logits, clip).reduce((sum, z) => sum + z, 0) / LABELS),
  );
});

test('programs of a loop agree about states and parameters', async () => {
  const objective = program((b) =>
    b.write('loss', b.times(b.reduceSum(b.read('logits', [LABELS]), [1], false), b.input('param/p', [1]))),
  );
  const step = program((b) => b.write('outcome/o', b.times(b.read('loss'), b.read('param/p'))));
  await assert.rejects(
    victim.open(planOf({ objective, step }), {}),
    /step program: 'param\/p' is one value here|for each example in another program/,
  );
  const shared = program((b) => b.write('next/state/s', b.op('Identity', [b.input('state/s', [1])])));
  const init = program((b) => b.write('next/state/s', b.op('Identity', [b.read('state/s')])));
  await assert.rejects(
    victim.open(planOf({ objective: sumOfTargets(), step: shared, init }), {}),
    /init program: state 's' is \[examples\] here and \[1\] elsewhere/,
  );
});

test('what would end the process or fail in the runtime is a fault of the program', async () => {
  const opened = (step: Uint8Array) => victim.open(planOf({ objective: sumOfTargets(), step }), {});
  const smallest = making((b) => {
    const least = b.times(b.ints([-(2 ** 62)]), b.ints([2]));
    const loss = b.op('Cast', [b.read('loss')], { to: int(7) });
    const minusOne = b.minus(b.times(loss, b.ints([0])), b.ints([1]));
    return b.op('Cast', [b.over(least, minusOne)], { to: int(1) });
  });
  await assert.rejects(opened(smallest), /divides integers by something else than constants of 1 or more/);
  const groups = making((b) =>
    b.op(
      'ConvTranspose',
      [b.reshape(b.read('x/waveform', [SAMPLES]), [-1, 1, SAMPLES]), b.op('Expand', [b.scalar(1), b.ints([1, 1, 2])])],
      { group: int(0) },
    ),
  );
  await assert.rejects(opened(groups), /'group' is 0; it must be 1 or more/);
  const outside = making((b) =>
    b.op(
      'Gather',
      [b.read('x/waveform', [SAMPLES]), b.op('Cast', [b.plus(b.read('loss'), b.scalar(1e6))], { to: int(7) })],
      { axis: int(1) },
    ),
  );
  await using loop = await opened(outside);
  await assert.rejects(loop.step({ steps: 1, parameters: {} }), {
    name: 'ProgramError',
    message: /^step program: cannot be run: /,
  });
});
