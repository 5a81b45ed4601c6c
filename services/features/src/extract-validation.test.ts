import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { features, victim } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import { validateExtract, validateOpen } from './extract-validation.ts';

type Input = victim.InputSpecification;

const waveform = (name: string, sampleRateHz: number, samples: number): Input => ({
  name,
  kind: { $case: 'waveform', value: { sampleRateHz, samples } },
});
const frames = (name: string, frameRateHz: number, count: number, height: number, width: number): Input => ({
  name,
  kind: { $case: 'frames', value: { frameRateHz, frames: count, height, width } },
});

function request(inputs: Input[], media = Buffer.from('media')): features.ExtractRequest {
  return { context: undefined, media, inputs, window: undefined };
}

/** The fields that are refused in a request. */
function refusedFields(validate: () => unknown): string[] {
  try {
    validate();
  } catch (error) {
    assert.ok(error instanceof FaultlineError);
    assert.equal(error.code, 'invalid_argument');
    return error.violations.map(({ field }) => field);
  }
  return [];
}

describe('validateExtract', () => {
  it('names what to extract, in order', () => {
    const asked = request([frames('frames', 4, 8, 64, 48), waveform('waveform', 16_000, 32_000)]);
    const { inputs, windows } = validateExtract({ ...asked, window: { startSeconds: 3, durationSeconds: 0 } });
    assert.deepEqual(inputs, [
      { name: 'frames', specification: { kind: 'frames', frameRateHz: 4, frames: 8, height: 64, width: 48 } },
      { name: 'waveform', specification: { kind: 'waveform', sampleRateHz: 16_000, samples: 32_000 } },
    ]);
    assert.deepEqual(windows, [{ startSeconds: 3 }]);
  });

  const good = waveform('waveform', 16_000, 32_000);
  const refused: Readonly<Record<string, readonly [features.ExtractRequest, readonly string[]]>> = {
    'empty media': [request([good], Buffer.alloc(0)), ['media']],
    'media above 60 MiB': [request([good], Buffer.alloc(60 * 1024 * 1024 + 1)), ['media']],
    'no inputs': [request([]), ['inputs']],
    'nine inputs': [request(Array.from({ length: 9 }, (_, index) => waveform(`w${index}`, 16_000, 10))), ['inputs']],
    'one name twice': [request([good, good]), ['inputs']],
    'an input without name': [request([waveform('', 16_000, 10)]), ['inputs[0].name']],
    'an input without kind': [request([good, { name: 'other', kind: undefined }]), ['inputs[1]']],
    'no samples': [request([waveform('w', 16_000, 0)]), ['inputs[0].waveform.samples']],
    'an absurd sample rate': [request([waveform('w', 0, 10)]), ['inputs[0].waveform.sample_rate_hz']],
    'more than an hour': [request([waveform('w', 1000, 3_600_001)]), ['inputs[0].waveform.samples']],
    'a frame rate of nothing': [request([frames('f', Number.NaN, 8, 64, 64)]), ['inputs[0].frames.frame_rate_hz']],
    'everything wrong with frames': [
      request([frames('f', 4, 0, 0, 9000)]),
      ['inputs[0].frames.frames', 'inputs[0].frames.height', 'inputs[0].frames.width'],
    ],
    'more than 60 MiB in all': [
      request([waveform('w', 384_000, 8_000_000), frames('f', 30, 3000, 64, 64)]),
      ['inputs'],
    ],
    'a window before the beginning': [
      { ...request([good]), window: { startSeconds: -1, durationSeconds: Number.NaN } },
      ['window.start_seconds', 'window.duration_seconds'],
    ],
    'a caller with a long name': [
      { ...request([good]), context: { caller: 'x'.repeat(129), idempotencyKey: '' } },
      ['context.caller'],
    ],
  };
  for (const [what, [bad, fields]] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      assert.deepEqual(
        refusedFields(() => validateExtract(bad)).filter((field, index, all) => all.indexOf(field) === index),
        fields,
      );
    });
  }
});

describe('validateOpen', () => {
  const inputs = [waveform('waveform', 16_000, 32_000)];

  it('names the windows; none is one from the beginning', () => {
    const windows = [{ startSeconds: 1, durationSeconds: 2 }];
    assert.deepEqual(validateOpen({ context: undefined, inputs, windows }).windows, windows);
    assert.deepEqual(validateOpen({ context: undefined, inputs, windows: [] }).windows, [{ startSeconds: 0 }]);
  });

  it('refuses what is wrong by its path', () => {
    const good = { startSeconds: 0, durationSeconds: 0 };
    const windows = [good, { startSeconds: 0, durationSeconds: -1 }];
    const context = { caller: 'x'.repeat(129), idempotencyKey: '' };
    assert.deepEqual(
      refusedFields(() => validateOpen({ context, inputs: [], windows })),
      ['open.windows[1].duration_seconds', 'open.context.caller', 'open.inputs'],
    );
    assert.deepEqual(
      refusedFields(() => validateOpen({ context: undefined, inputs, windows: new Array(1025).fill(good) })),
      ['open.windows'],
    );
  });
});
