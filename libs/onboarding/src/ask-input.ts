import type { Dimension, ValueInfo } from '@faultline/onnx';
import type { Answers, Question } from './answers.ts';
import { guessInput, ROLES } from './guess-input.ts';
import { checkLayout } from './layout.ts';
import { checkLogMel, type LogMelParameters, samplesFor, WINDOW_SHAPES } from './log-mel.ts';
import { LOG_MEL_PRESETS, type LogMelPreset } from './log-mel-presets.ts';
import {
  COLOURS,
  type ConstantInput,
  type FramesInput,
  type LogMelInput,
  type ModelInput,
  type WaveformInput,
} from './model-input.ts';
import { OnboardingError } from './onboarding-error.ts';

/** Rate of speech models, the most common. */
const USUAL_RATE_HZ = '16000';
/** Length of sound that a model of open length gets unless told otherwise: one second, at the rate asked. */
const USUAL_SECONDS = 1;
/** Side of a picture that a model of open size gets unless told otherwise: ImageNet's. */
const USUAL_SIDE = '224';

/** Asks about one input. */
class InputQuestions {
  readonly #answers: Answers;
  readonly info: ValueInfo;

  constructor(answers: Answers, info: ValueInfo) {
    this.#answers = answers;
    this.info = info;
  }

  #question(field: string, text: string, why: string, rest: Partial<Question>): Question {
    return { input: this.info.name, field, text: `Input '${this.info.name}': ${text}`, why, ...rest };
  }

  text = (field: string, text: string, why: string, rest: Partial<Question> = {}) =>
    this.#answers.get(this.#question(field, text, why, rest));
  number = (field: string, text: string, why: string, rest: Partial<Question> = {}) =>
    this.#answers.number(this.#question(field, text, why, rest));
  count = (field: string, text: string, why: string, rest: Partial<Question> = {}) =>
    this.#answers.count(this.#question(field, text, why, rest));
  numbers = (field: string, text: string, why: string, rest: Partial<Question> = {}) =>
    this.#answers.numbers(this.#question(field, text, why, rest));

  async choice<Choice extends string>(
    field: string,
    text: string,
    why: string,
    choices: readonly Choice[],
    rest: Partial<Question> = {},
  ): Promise<Choice> {
    const value = await this.text(field, text, why, { ...rest, choices });
    const chosen = choices.find((choice) => choice === value);
    if (chosen === undefined) throw new OnboardingError(`'${value}' is none of ${choices.join(', ')}`);
    return chosen;
  }

  /** Size of an axis: what the graph declares, or a question. */
  size(layout: string, letter: string, field: string, what: string, fallback: string, why: string): Promise<number> {
    const declared = axisSize(this.info.dims, layout, letter);
    return declared === undefined
      ? this.count(field, `how many ${what}?`, why, { default: fallback })
      : this.count(field, `how many ${what}?`, 'The graph declares it.', { default: String(declared), certain: true });
  }
}

/** The declared size of an axis; 1 where the layout leaves it out; undefined where it is open. */
function axisSize(dims: readonly Dimension[] | undefined, layout: string, letter: string): number | undefined {
  const axis = [...layout].indexOf(letter);
  if (axis < 0) return 1;
  const size = dims?.[axis];
  return typeof size === 'number' ? size : undefined;
}

/** Finds out what an input is made of. */
export async function askInput(answers: Answers, info: ValueInfo): Promise<ModelInput> {
  const q = new InputQuestions(answers, info);
  const seen = guessInput(info);
  const guessed = seen.role === undefined ? {} : { default: seen.role, certain: seen.certain };
  const role = await q.choice('role', 'what is it?', seen.why, ROLES, guessed);
  if (role === 'constant') return { info, role: await askConstant(q) };
  const suggested = role === seen.role ? seen.layout : undefined;
  const layout = await q.text('layout', 'the order of its axes?', seen.why, {
    ...(suggested === undefined ? {} : { default: suggested, certain: seen.certain }),
  });
  const rank = info.dims?.length;
  if (rank !== undefined && rank !== layout.length)
    throw new OnboardingError(
      `--set ${info.name}.layout=${layout}: names ${layout.length} axes, but the input has ${rank}`,
    );
  if (role === 'waveform') return { info, role: await askWaveform(q, layout) };
  if (role === 'log-mel') return { info, role: await askLogMel(q, layout) };
  return { info, role: await askFrames(q, layout) };
}

const askRate = (q: InputQuestions, preset?: number) =>
  q.count(
    'rate',
    'samples per second?',
    preset === undefined ? 'A graph does not say; speech models take 16000.' : 'The preset says so.',
    {
      default: preset === undefined ? USUAL_RATE_HZ : String(preset),
    },
  );

async function askWaveform(q: InputQuestions, layout: string): Promise<WaveformInput> {
  const sampleRateHz = await askRate(q);
  const usual = String(Math.round(USUAL_SECONDS * sampleRateHz));
  const samples = await q.size(layout, 'S', 'samples', 'samples', usual, 'Its length is open; one second.');
  checkLayout(layout, { S: samples }, `${q.info.name}.layout`);
  const fullScale = await q.number(
    'full-scale',
    'which value is full scale: 1, or 32768 for 16-bit levels?',
    'Most models take [-1, 1].',
    {
      default: '1',
    },
  );
  return { role: 'waveform', sampleRateHz, samples, layout, fullScale };
}

async function askLogMel(q: InputQuestions, layout: string): Promise<LogMelInput> {
  const bandsDeclared = axisSize(q.info.dims, layout, 'F');
  const presets = Object.keys(LOG_MEL_PRESETS) as LogMelPreset[];
  // Those that are one model's own come before those of a library's defaults.
  const likely = presets.findLast((name) => LOG_MEL_PRESETS[name].bands === bandsDeclared);
  const preset: Partial<LogMelParameters> =
    LOG_MEL_PRESETS[
      await q.choice(
        'preset',
        'computed as by which code?',
        'A spectrogram does not tell how it was made; single parameters can be changed.',
        presets,
        {
          ...(likely === undefined ? {} : { default: likely }),
        },
      )
    ];
  const why = 'The preset says so.';
  const sampleRateHz = await askRate(q, preset.sampleRateHz);
  // From here on the preset answers; what is given changes single parameters.
  const kept = (value: number | string | undefined) => ({ default: String(value), certain: true });
  const fft = await q.count('fft', 'length of the Fourier transform?', why, kept(preset.fft));
  const window = await q.count('window', 'length of the window?', why, kept(preset.window));
  const windowShape = await q.choice(
    'window-shape',
    'shape of the window?',
    why,
    WINDOW_SHAPES,
    kept(preset.windowShape),
  );
  const hop = await q.count('hop', 'samples between two time steps?', why, kept(preset.hop));
  const padding = await q.choice('padding', 'padding?', why, ['reflect', 'none'], kept(preset.padding));
  const bands = bandsDeclared ?? (await q.count('bands', 'how many bands?', why, kept(preset.bands)));
  const parameters: LogMelParameters = {
    sampleRateHz,
    fft,
    window,
    windowShape,
    hop,
    padding,
    bands,
    power:
      (await q.choice('power', 'power (2) or magnitude (1)?', why, ['1', '2'], kept(preset.power))) === '1' ? 1 : 2,
    lowHz: await q.number('low', 'lowest frequency?', why, kept(preset.lowHz)),
    highHz: await q.number('high', 'highest frequency?', why, kept(preset.highHz ?? sampleRateHz / 2)),
    scale: await q.choice('scale', 'mel scale?', why, ['htk', 'slaney'], kept(preset.scale)),
    triangles: await q.choice('triangles', 'bands straight in which unit?', why, ['hz', 'mel'], kept(preset.triangles)),
    bandNorm: await q.choice('band-norm', 'norm of the bands?', why, ['none', 'slaney'], kept(preset.bandNorm)),
    logarithm: await q.choice('log', 'logarithm?', why, ['ln', 'log10', 'db', 'none'], kept(preset.logarithm)),
    floor: await q.number('floor', 'floor below the logarithm?', why, kept(preset.floor)),
    floorMode: await q.choice(
      'floor-mode',
      'is the floor added, or a bound?',
      why,
      ['add', 'clamp'],
      kept(preset.floorMode),
    ),
    preemphasis: await q.number('preemphasis', 'preemphasis?', why, kept(preset.preemphasis)),
    removeMean: await q.choice('remove-mean', 'is the mean removed?', why, ['window', 'none'], kept(preset.removeMean)),
    mean: await q.number('mean', 'mean to take away?', why, kept(preset.mean)),
    std: await q.number('std', 'deviation to divide by?', why, kept(preset.std)),
  };
  checkLogMel(parameters);
  const usual = Math.ceil((USUAL_SECONDS * sampleRateHz) / hop);
  const steps = await q.size(layout, 'T', 'steps', 'time steps', String(usual), 'Its length is open; one second.');
  checkLayout(layout, { T: steps, F: bands }, `${q.info.name}.layout`);
  const samples = await q.count('samples', 'samples of sound?', `The fewest that give ${steps} time steps.`, {
    ...kept(samplesFor(parameters, steps)),
  });
  return { role: 'log-mel', samples, steps, layout, parameters };
}

async function askFrames(q: InputQuestions, layout: string): Promise<FramesInput> {
  const channels = axisSize(q.info.dims, layout, 'C');
  const frames = await q.size(layout, 'T', 'frames', 'frames', '8', 'Their number is open.');
  const height = await q.size(layout, 'H', 'height', 'rows', USUAL_SIDE, 'The size is open; 224 is usual.');
  const width = await q.size(layout, 'W', 'width', 'columns', USUAL_SIDE, 'The size is open; 224 is usual.');
  const rate = await q.number(
    'frame-rate',
    'frames per second?',
    frames === 1 ? 'One frame, from the middle of the first second.' : 'A graph does not say.',
    { default: frames === 1 ? '1' : '4' },
  );
  const colour = await q.choice(
    'colour',
    'order of colours?',
    channels === 1 ? 'It has one channel.' : 'A graph does not say; OpenCV users give bgr.',
    COLOURS,
    {
      default: channels === 1 ? 'gray' : 'rgb',
      certain: channels === 1,
    },
  );
  const levels = q.info.dataType === 'uint8';
  const range = await q.text(
    'range',
    'values of black and white, before mean and std?',
    levels ? 'It takes 8-bit levels.' : 'A graph does not say.',
    {
      default: levels ? '0:255' : '0:1',
      certain: levels,
    },
  );
  const [black = Number.NaN, white = Number.NaN] = range.split(':').map(Number);
  if (!Number.isFinite(black) || !Number.isFinite(white) || black === white)
    throw new OnboardingError(`--set ${q.info.name}.range=${range}: give two numbers, such as 0:1, 0:255 or -1:1`);
  const perChannel = colour === 'gray' ? 1 : 3;
  const fits = (values: readonly number[], field: string) => {
    if (values.length !== 1 && values.length !== perChannel)
      throw new OnboardingError(`--set ${q.info.name}.${field}: give 1 or ${perChannel} numbers, not ${values.length}`);
    return values;
  };
  const why = 'A graph does not say; ImageNet models take mean 0.485:0.456:0.406, std 0.229:0.224:0.225.';
  const mean = fits(await q.numbers('mean', 'mean of each channel?', why, { default: '0' }), 'mean');
  const std = fits(await q.numbers('std', 'deviation of each channel?', why, { default: '1' }), 'std');
  if (std.includes(0)) throw new OnboardingError(`--set ${q.info.name}.std: is 0`);
  checkLayout(layout, { T: frames, C: colour === 'gray' ? 1 : 3, H: height, W: width }, `${q.info.name}.layout`);
  return { role: 'frames', frames, frameRateHz: rate, height, width, layout, colour, black, white, mean, std };
}

async function askConstant(q: InputQuestions): Promise<ConstantInput> {
  const dims = q.info.dims ?? [];
  const open = dims.filter((size) => typeof size === 'string').length;
  if (open > 1)
    throw new OnboardingError(`input '${q.info.name}' has ${open} open axes; a constant may have one, the batch`);
  const isRate = /^(sr|rate|sample_?rate|fs)$/i.test(q.info.name);
  const isState = dims.length > 1;
  const values = await q.numbers(
    'value',
    'which value?',
    isRate ? 'Its name is that of a sample rate.' : isState ? 'A state begins at zeros.' : 'A graph does not say.',
    isRate ? { default: USUAL_RATE_HZ } : isState ? { default: '0' } : {},
  );
  const sizes = dims.map((size) => (typeof size === 'number' ? size : undefined));
  const count = sizes.reduce<number>((product, size) => product * (size ?? 1), 1);
  if (values.length !== 1 && values.length !== count)
    throw new OnboardingError(`--set ${q.info.name}.value: give 1 or ${count} numbers, not ${values.length}`);
  return { role: 'constant', values, sizes };
}
