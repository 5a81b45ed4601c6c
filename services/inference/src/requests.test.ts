import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { common, encodeTensor, inference } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import { RemoteVictim } from '@faultline/victim-grpc';
import { planOf, program, sumOfTargets } from './test-support/programs.ts';
import { serveVictim } from './test-support/serve-victim.ts';
import { CLIPS, card, HIDDEN, inputs, LABELS, SAMPLES, targetsOf } from './test-support/two-layer-victim.ts';

// Every refusal names the field; none is the service's own fault.

const served = await serveVictim({ slots: 4 });
const remote = new RemoteVictim(served.address);
after(async () => {
  await remote[Symbol.asyncDispose]();
  await served[Symbol.asyncDispose]();
});

const tensor = (dims: number[], length = dims.reduce((product, size) => product * size, 1)): common.Tensor => ({
  ...encodeTensor({ dims: [length], data: new Float32Array(length) }),
  dims,
});
const goodInputs = [...inputs].map(([name, value]) => ({ name, tensor: encodeTensor(value) }));
const [waveform, frames] = goodInputs;
assert.ok(waveform !== undefined && frames !== undefined);

type Refusal<Request> = readonly [field: RegExp, change: Partial<Request>, code?: string];

async function refused(work: Promise<unknown>, field: RegExp, code = 'invalid_argument'): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof FaultlineError);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, field);
    return true;
  });
}

const smell = { name: 'smell', tensor: tensor([3]) };
const PREDICTIONS: readonly Refusal<inference.PredictRequest>[] = [
  [/input 'waveform' is missing/, { inputs: [] }],
  [/inputs\[waveform\]: is given twice/, { inputs: [waveform, waveform] }],
  [/inputs\[\]: has no name/, { inputs: [{ ...waveform, name: '' }] }],
  [/inputs\[waveform\]: is missing/, { inputs: [{ name: 'waveform', tensor: undefined }] }],
  [
    /inputs\[waveform\]: tensor \[5\] needs 20 bytes but holds 16/,
    { inputs: [{ name: 'waveform', tensor: tensor([5], 4) }] },
  ],
  [/has 9 axes; at most 8/, { inputs: [{ name: 'waveform', tensor: tensor(new Array(9).fill(1)) }] }],
  [/needs .* bytes/, { inputs: [{ name: 'waveform', tensor: tensor([2 ** 31, 2 ** 31, 2 ** 31], 4) }] }],
  [/must be \[batch, 64\]/, { inputs: [{ name: 'waveform', tensor: tensor([1, 3]) }, frames] }],
  [/no input of this victim/, { inputs: [...goodInputs, { name: 'smell', tensor: tensor([2]) }] }],
  [
    /unsupported data type 77/,
    { inputs: [{ name: 'waveform', tensor: { ...tensor([1]), dataType: 77 as common.DataType } }] },
  ],
  [/holds no raw bytes/, { inputs: [{ name: 'waveform', tensor: { ...tensor([1]), value: undefined } }] }],
  [
    /input 'frames' holds 2 examples, another input 1/,
    { inputs: [{ name: 'waveform', tensor: tensor([1, SAMPLES]) }, frames] },
  ],
  [/taps\[0\]: 'smell' is not known; there are audio, hidden/, { inputs: goodInputs, taps: ['smell'] }],
  [/taps\[1\]: 'audio' is named twice/, { inputs: goodInputs, taps: ['audio', 'audio'] }],
  [/tap_values\[0\]: 'smell' is not known; there are audio, hidden/, { inputs: goodInputs, tapValues: [smell] }],
  [
    /value of tap 'audio' is \[3\]; it must be float32/,
    { inputs: goodInputs, tapValues: [{ ...smell, name: 'audio' }] },
  ],
  [/context.caller: has 129 characters/, { context: { caller: 'x'.repeat(129), idempotencyKey: '' } }],
  [/expects model f+ but this service holds/, { modelSha256: 'f'.repeat(64) }, 'failed_precondition'],
];
for (const [field, change, code] of PREDICTIONS) {
  test(`a prediction is refused: ${field.source}`, () =>
    refused(served.client.predict(inference.PredictRequest.fromPartial(change)), field, code));
}

const objective = Buffer.from(sumOfTargets());
const program_ = (build: Parameters<typeof program>[0]) =>
  ({ $case: 'program', value: Buffer.from(program(build)) }) as const;
const GRADIENTS: readonly Refusal<inference.DifferentiateRequest>[] = [
  [/variables: is empty; name at least one of waveform, frames, audio, hidden/, { variables: [] }],
  [/variables\[0\]: 'smell' is not known/, { variables: ['smell'] }],
  [/objective: is not set/, { objective: undefined }],
  [/loss: is 0; give MARGIN/, { objective: { $case: 'loss', value: 0 } }],
  [/targets: is missing/, { targets: undefined }],
  [/targets/, { targets: tensor([1, LABELS]) }],
  [/protocol 1 but/, { objective: { $case: 'program', value: objective }, protocolVersion: 1 }, 'failed_precondition'],
  [/program: objective program: is empty/, { objective: { $case: 'program', value: Buffer.alloc(0) } }],
  [/program: objective program/, { objective: { $case: 'program', value: Buffer.from('nonsense') } }],
  [
    /reads 'state\/s'|state\/s/,
    {
      objective: program_((b) =>
        b.write('loss', b.plus(b.reduceSum(b.read('logits', [LABELS]), [1], false), b.read('state/s'))),
      ),
    },
  ],
  [
    /param\/scale|scale/,
    {
      objective: program_((b) =>
        b.write('loss', b.times(b.reduceSum(b.read('logits', [LABELS]), [1], false), b.read('param/scale'))),
      ),
    },
  ],
  [/program/, { objective: program_((b) => b.write('loss', b.reshape(b.read('logits', [LABELS]), [7, 5]))) }],
];
for (const [field, change, code] of GRADIENTS) {
  test(`gradients are refused: ${field.source}`, () =>
    refused(
      served.client.differentiate(
        inference.DifferentiateRequest.fromPartial({
          inputs: goodInputs,
          targets: encodeTensor(targetsOf(CLIPS)),
          objective: { $case: 'loss', value: inference.NamedLoss.NAMED_LOSS_MARGIN },
          protocolVersion: 2,
          variables: ['waveform'],
          ...change,
        }),
      ),
      field,
      code,
    ));
}

const opening = (change: Partial<inference.OpenRequest>): inference.OpenRequest => {
  const { programs, exampleClips } = planOf();
  return {
    ...inference.OpenRequest.fromPartial({
      modelSha256: card.sha256,
      protocolVersion: 2,
      programs: { objective: Buffer.from(programs.objective), step: Buffer.from(programs.step) },
      variables: [{ name: 'waveform' }],
      exampleClips: [...exampleClips],
      clips: CLIPS,
    }),
    ...change,
  };
};
const slot = (name: string, dims: number[], distribution = 1) => ({
  name,
  dims,
  distribution: distribution as inference.NoiseDistribution,
});
const announced = (name: string, dims: number[], dataType: number = common.DataType.DATA_TYPE_FLOAT32) => ({
  slot: name,
  dims,
  dataType: dataType as common.DataType,
});
const OPENINGS: readonly Refusal<inference.OpenRequest>[] = [
  [/open.model_sha256: is empty/, { modelSha256: '' }],
  [/expects model ffff/, { modelSha256: 'f'.repeat(64) }, 'failed_precondition'],
  [/protocol 0 .* speaks 2/, { protocolVersion: 0 }, 'failed_precondition'],
  [/open.programs: is missing/, { programs: undefined }],
  [/open.programs.objective: is empty/, { programs: inference.Programs.fromPartial({}) }],
  [/open.programs.step/, { programs: inference.Programs.fromPartial({ objective, step: Buffer.from('nonsense') }) }],
  [
    /open.programs.objective/,
    { programs: inference.Programs.fromPartial({ objective: Buffer.alloc(300_000), step: objective }) },
  ],
  [/open.variables: is empty/, { variables: [] }],
  [/open.variables\[0\].name: 'smell' is neither an input nor a tap/, { variables: [{ name: 'smell', scope: 0 }] }],
  [
    /open.variables\[1\].name: 'waveform' is named twice/,
    {
      variables: [
        { name: 'waveform', scope: 0 },
        { name: 'waveform', scope: 0 },
      ],
    },
  ],
  [/open.variables\[0\].scope: is 9/, { variables: [{ name: 'waveform', scope: 9 as inference.VariableScope }] }],
  [
    /open.programs.step: .*'next\/waveform' is \[examples, 64\]; it must be \[1, 64\]/,
    { variables: [{ name: 'waveform', scope: 2 }] },
  ],
  [/open.mode: is 5/, { mode: 5 as inference.LoopMode }],
  [/open.samples.count: is 0/, { samples: { count: 0, gradient: 0 } }],
  [/open.samples.gradient: is 8/, { samples: { count: 2, gradient: 8 as inference.SampleGradient } }],
  [
    /open.example_clips: names 2 examples; give 1 to 1, for each is evaluated 256 times/,
    { samples: { count: 256, gradient: 0 } },
  ],
  [/open.example_clips: names 0 examples/, { exampleClips: [] }],
  [/open.example_clips\[1\]: is 2; the clips are 0 to 1/, { exampleClips: [0, 2] }],
  [/open.clips: is 0/, { clips: 0 }],
  [/open.clips: is 4000000000/, { clips: 4_000_000_000 }],
  [/open.noise\[0\].name: is empty/, { noise: [slot('', [1])] }],
  [/open.noise\[1\].name: 'n' is named twice/, { noise: [slot('n', [1]), slot('n', [1])] }],
  [/open.noise\[0\].distribution: is 0/, { noise: [slot('n', [1], 0)] }],
  [/open.noise\[0\].dims: is \[0\]/, { noise: [slot('n', [0])] }],
  [/open.noise_keys: holds 0 bytes; noise slots need 8 for each of 2/, { noise: [slot('n', [1])] }],
  [/open.noise_keys: holds 3 bytes/, { noiseKeys: Buffer.alloc(3) }],
  [/open.announced\[0\].slot: is 'x\/waveform'/, { announced: [announced('x/waveform', [1])] }],
  [
    /open.announced\[1\].slot: 'const\/m' is announced twice/,
    { announced: [announced('const/m', [1]), announced('const/m', [1])] },
  ],
  [/open.announced\[0\].data_type: is 2/, { announced: [announced('const/m', [1], 2)] }],
  [/open.announced\[0\].dims: is \[3\]; it must begin with the 2 examples/, { announced: [announced('data/d', [3])] }],
  [/open.announced\[0\].dims: has 9 axes/, { announced: [announced('const/m', new Array(9).fill(1))] }],
  [/which no memory can hold/, { announced: [announced('const/m', [2 ** 31, 2 ** 31])] }],
  [/grants loops 64 MiB in all/, { announced: [announced('const/m', [2 ** 30])] }, 'failed_precondition'],
  [
    /grants loops 64 MiB in all|limit/,
    { noise: [slot('n', [2 ** 31])], noiseKeys: Buffer.alloc(16) },
    'failed_precondition',
  ],
  [
    /open.announced: has 300 entries/,
    { announced: Array.from({ length: 300 }, (_, i) => announced(`const/${i}`, [1])) },
  ],
];
for (const [field, change, code] of OPENINGS) {
  test(`an opening is refused: ${field.source}`, async () => {
    const call = served.client.optimize();
    await call.send({ kind: { $case: 'open', value: opening(change) } });
    await refused(call.responses.next(), field, code);
    assert.deepEqual(served.admission.usage, { slots: 0, bytes: 0 });
  });
}

const COMMANDS: readonly (readonly [RegExp, inference.OptimizeRequest['kind']])[] = [
  [/kind: is not set/, undefined],
  [/kind: is open, which may only come once/, { $case: 'open', value: opening({}) }],
  [
    /kind: is upload, but the batch is complete/,
    { $case: 'upload', value: { slot: 'targets', rows: undefined, last: true } },
  ],
  [/step.steps: is 65/, { $case: 'step', value: { steps: 65, parameters: [], finish: false } }],
  [/step.steps: is 0/, { $case: 'step', value: { steps: 0, parameters: [], finish: false } }],
  [
    /step.parameters\[size\]: is \[3\]; give \[2\] or \[1, 2\]/,
    { $case: 'step', value: { steps: 1, parameters: [{ name: 'size', tensor: tensor([3]) }], finish: false } },
  ],
  [/param\/size|'size'/, { $case: 'step', value: { steps: 1, parameters: [], finish: false } }],
  [/keep.examples\[0\]: is 2; the loop holds 2/, { $case: 'keep', value: { examples: [2] } }],
  [/keep.examples\[1\]: is 0 after 1/, { $case: 'keep', value: { examples: [1, 0] } }],
  [/fetch.slots: is empty/, { $case: 'fetch', value: { slots: [], examples: [] } }],
  [/slot 'state\/none'/, { $case: 'fetch', value: { slots: ['state/none'], examples: [] } }],
  [
    /fetch.slots\[1\]: 'x\/waveform' is named twice/,
    { $case: 'fetch', value: { slots: ['x/waveform', 'x/waveform'], examples: [] } },
  ],
  [/fetch.examples\[0\]: is 7/, { $case: 'fetch', value: { slots: ['x/waveform'], examples: [7] } }],
  [/rebatch.clips: is 0/, { $case: 'rebatch', value: { exampleClips: [0], clips: 0, noiseKeys: Buffer.alloc(0) } }],
];
for (const [field, kind] of COMMANDS) {
  test(`a command is refused: ${field.source}`, async () => {
    const call = served.client.optimize();
    await call.send({ kind: { $case: 'open', value: opening({}) } });
    await call.responses.next();
    const plan = planOf();
    for (const [name, value] of [
      ...[...plan.inputs].map(([n, t]) => [`x0/${n}`, t] as const),
      ['targets', plan.targets] as const,
    ])
      await call.send({ kind: { $case: 'upload', value: { slot: name, rows: encodeTensor(value), last: true } } });
    await call.send({ kind });
    await refused(call.responses.next(), field);
    call.cancel();
  });
}

const BAD_STEPS: readonly (readonly [string, Parameters<typeof program>[0]])[] = [
  ['a reshape that cannot be', (b) => b.write('next/waveform', b.reshape(b.read('x/waveform', [SAMPLES]), [7, 5]))],
  [
    'a point of another shape',
    (b) => b.write('next/waveform', b.reduceSum(b.read('x/waveform', [SAMPLES]), [1], true)),
  ],
  ['a tap that is not there', (b) => b.write('outcome/o', b.reduceSum(b.read('tap/smell', [HIDDEN]), [1], false))],
  ['an outcome of rows', (b) => b.write('outcome/o', b.op('Identity', [b.read('logits', [LABELS])]))],
  [
    'a matrix product of shapes that do not fit',
    (b) => b.write('outcome/o', b.matmul(b.read('logits', [LABELS]), b.read('x/waveform', [SAMPLES]))),
  ],
];
for (const [name, build] of BAD_STEPS) {
  test(`a step program is refused: ${name}`, async () => {
    const work = async () => {
      await using loop = await remote.open(
        planOf({ programs: { objective: sumOfTargets(), step: program(build) } }),
        {},
      );
      await loop.step({ steps: 1, parameters: {} });
    };
    await refused(work(), /./);
  });
}
