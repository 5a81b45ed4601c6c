import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  AV_CHANNEL_LAYOUT_MONO,
  AV_CHANNEL_LAYOUT_STEREO,
  AV_CHANNEL_ORDER_UNSPEC,
  AV_SAMPLE_FMT_FLT,
  AV_SAMPLE_FMT_FLTP,
  AV_SAMPLE_FMT_U8,
  type AVSampleFormat,
} from 'node-av/constants';
import { type ChannelLayout, Frame } from 'node-av/lib';
import { WaveformSink } from './waveform-sink.ts';

const RATE_HZ = 1000;

interface Sound {
  readonly values: readonly number[];
  readonly format?: AVSampleFormat;
  readonly layout?: ChannelLayout;
}

/** A frame of packed (or single-channel) samples at RATE_HZ. */
function frameOf({ values, format = AV_SAMPLE_FMT_FLT, layout = AV_CHANNEL_LAYOUT_MONO }: Sound): Frame {
  const bytes = format === AV_SAMPLE_FMT_U8 ? Buffer.from(values) : Buffer.from(Float32Array.from(values).buffer);
  return Frame.fromAudioBuffer(bytes, {
    nbSamples: values.length / layout.nbChannels,
    format,
    sampleRate: RATE_HZ,
    channelLayout: layout,
  });
}

/** Pushes sounds at times and returns the waveform at the same rate, so that every sample stays what it was. */
function render(limit: number, ...pushes: readonly (readonly [seconds: number, sound: Sound])[]): number[] {
  const sink = new WaveformSink(RATE_HZ, limit);
  for (const [seconds, sound] of pushes) {
    using frame = frameOf(sound);
    sink.push(frame, seconds);
  }
  const waveform = [...sink.finish()].map((amplitude) => Math.round(amplitude * 1e6) / 1e6);
  sink.free();
  return waveform;
}

const ramp = (count: number, value: number) => new Array<number>(count).fill(value);

describe('WaveformSink', () => {
  it('puts silence before sound that begins late', () => {
    assert.deepEqual(render(5, [0.003, { values: [0.1, 0.2, 0.3] }]), [0, 0, 0, 0.1, 0.2]);
  });

  it('drops sound before time 0', () => {
    assert.deepEqual(render(5, [-0.002, { values: [0.1, 0.2, 0.3, 0.4] }]), [0.3, 0.4]);
  });

  it('fills a gap between frames with silence', () => {
    const waveform = render(200, [0, { values: ramp(50, 0.1) }], [0.1, { values: ramp(20, 0.2) }]);
    assert.deepEqual(waveform, [...ramp(50, 0.1), ...ramp(50, 0), ...ramp(20, 0.2)]);
  });

  it('drops what overlaps earlier sound', () => {
    const waveform = render(200, [0, { values: ramp(50, 0.1) }], [0.02, { values: ramp(50, 0.2) }]);
    assert.deepEqual(waveform, [...ramp(50, 0.1), ...ramp(20, 0.2)]);
  });

  it('takes time stamps a few milliseconds off for rounding', () => {
    const waveform = render(200, [0, { values: ramp(50, 0.1) }], [0.053, { values: ramp(10, 0.2) }]);
    assert.deepEqual(waveform, [...ramp(50, 0.1), ...ramp(10, 0.2)]);
  });

  it('cuts at its limit, and is full then', () => {
    const sink = new WaveformSink(RATE_HZ, 10);
    using frame = frameOf({ values: ramp(30, 0.5) });
    assert.deepEqual([sink.empty, sink.full], [true, false]);
    sink.push(frame, 0);
    assert.deepEqual([sink.empty, sink.full], [false, true]);
    assert.equal(sink.finish().length, 10);
    sink.free();
  });

  it('mixes channels to their mean, whether their positions are known or not', () => {
    const values = [0.6, 0, 0.5, 0.5, 1, 1];
    const unknown = { nbChannels: 2, order: AV_CHANNEL_ORDER_UNSPEC, mask: 0n };
    const silentHalves = [0.3, 0.5, 1];
    assert.deepEqual(render(3, [0, { values, layout: AV_CHANNEL_LAYOUT_STEREO }]), silentHalves);
    assert.deepEqual(render(3, [0, { values, layout: unknown }]), silentHalves);
  });

  it('knows the silence of unsigned samples', () => {
    assert.deepEqual(render(4, [0.002, { values: [192, 64], format: AV_SAMPLE_FMT_U8 }]), [0, 0, 0.5, -0.5]);
  });

  it('goes on when the format changes on the way', () => {
    const waveform = render(
      100,
      [0, { values: ramp(30, 0.1) }],
      [0.03, { values: ramp(20, 0.2), format: AV_SAMPLE_FMT_FLTP }],
      [0.05, { values: ramp(20, 0.4), layout: AV_CHANNEL_LAYOUT_STEREO }],
    );
    assert.deepEqual(waveform, [...ramp(30, 0.1), ...ramp(20, 0.2), ...ramp(10, 0.4)]);
  });

  it('clips to [-1, 1] and silences what is no number', () => {
    assert.deepEqual(render(3, [0, { values: [1.5, -7, Number.NaN] }]), [1, -1, 0]);
  });

  it('survives absurd time stamps', () => {
    assert.deepEqual(render(4, [1e18, { values: [1] }]), [0, 0, 0, 0]);
    assert.deepEqual(render(4, [-1e18, { values: [1] }]), []);
  });
});
