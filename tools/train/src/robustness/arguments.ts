import { parseArgs } from 'node:util';

export const USAGE = `usage: npm run robustness -- --victim NAME [options]
Robust deactivation accuracy of a victim on the shipped clips under PGD with restarts, L-inf, against sound, pictures and both at once, with noise
of the same norm beside it; written into its card.
  --victim NAME         victim to attack, a folder of --zoo
  --zoo DIR             folder of victims (zoo/victims)
  --clips DIR           labelled test clips (zoo/clips)
  --count N             the first N clips of unseen sources (96)
  --epsilon-waveform R  budgets at scale 1, amplitude in [-1, 1] (0.001)
  --epsilon-frames R    pixels in [0, 1] (0.004)
  --scales R,R          scales of both budgets, ascending (0.5,1,2)
  --steps N             steps of a restart (20)
  --restarts N          restarts; noise is drawn steps x restarts times (3)
  --seed N              of all that is drawn (1)
  --against NAME        compare with a victim that was measured in the same way; may be given several times
  --threads N           threads of the runtime (2)`;

/** All that decides the outcomes of one victim. */
export interface RobustnessSetting {
  readonly clips: number;
  readonly epsilons: { readonly waveform: number; readonly frames: number };
  readonly scales: readonly number[];
  readonly steps: number;
  readonly restarts: number;
  readonly seed: number;
}

export interface Arguments {
  readonly victim: string;
  readonly zoo: string;
  readonly clipsDir: string;
  readonly against: readonly string[];
  readonly threads: number;
  readonly setting: RobustnessSetting;
}

/** @throws RangeError that names the option, its value and what to give. */
export function readArguments(args: readonly string[]): Arguments {
  const text = (fallback: string) => ({ type: 'string', default: fallback }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      victim: { type: 'string' },
      zoo: text('zoo/victims'),
      clips: text('zoo/clips'),
      count: text('96'),
      'epsilon-waveform': text('0.001'),
      'epsilon-frames': text('0.004'),
      scales: text('0.5,1,2'),
      steps: text('20'),
      restarts: text('3'),
      seed: text('1'),
      against: { type: 'string', multiple: true, default: [] },
      threads: text('2'),
    },
  });
  if (values.victim === undefined) throw new RangeError('--victim is missing; give the name of the victim to attack');
  const whole = (option: 'count' | 'steps' | 'restarts' | 'seed' | 'threads'): number => {
    const value = Number(values[option]);
    if (Number.isInteger(value) && value >= 1) return value;
    throw new RangeError(`--${option} is '${values[option]}'; give a whole number from 1`);
  };
  const budget = (option: 'epsilon-waveform' | 'epsilon-frames'): number => {
    const value = Number(values[option]);
    if (Number.isFinite(value) && value > 0) return value;
    throw new RangeError(`--${option} is '${values[option]}'; give a number above 0`);
  };
  const scales = values.scales.split(',').map(Number);
  if (!scales.every((scale, index) => scale > (scales[index - 1] ?? 0))) {
    throw new RangeError(`--scales is '${values.scales}'; give ascending numbers above 0, such as 0.5,1,2`);
  }
  return {
    victim: values.victim,
    zoo: values.zoo,
    clipsDir: values.clips,
    against: values.against,
    threads: whole('threads'),
    setting: {
      clips: whole('count'),
      epsilons: { waveform: budget('epsilon-waveform'), frames: budget('epsilon-frames') },
      scales,
      steps: whole('steps'),
      restarts: whole('restarts'),
      seed: whole('seed'),
    },
  };
}
