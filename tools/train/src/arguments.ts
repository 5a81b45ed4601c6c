import { parseArgs } from 'node:util';
import { VICTIM_NAMES, type VictimName } from '@faultline/fusion';
import { RECIPE } from './train-victim.ts';

export const USAGE = `usage: npm run train -- --spec ${VICTIM_NAMES.join('|')} --pack DIR [--seed N] [--clips DIR] [--out DIR]
         [--threads N] [--steps N] [--measure-only]
  --pack          source pack of sounds and pictures
  --clips         labelled test clips to measure on (zoo/clips)
  --out           folder of the victim (zoo/victims/SPEC)
  --measure-only  train nothing; measure the victim in its folder again and renew its card`;

const DEFAULT_THREADS = 2;

export interface Arguments {
  readonly name: VictimName;
  readonly seed: number;
  readonly packDir: string;
  readonly clipsDir: string;
  readonly out: string;
  readonly threads: number;
  readonly steps: number;
  readonly measureOnly: boolean;
}

/** @throws RangeError that names the option, its value and what to give. */
export function readArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      spec: { type: 'string' },
      seed: { type: 'string', default: '1' },
      pack: { type: 'string' },
      clips: { type: 'string', default: 'zoo/clips' },
      out: { type: 'string' },
      threads: { type: 'string', default: String(DEFAULT_THREADS) },
      steps: { type: 'string', default: String(RECIPE.steps) },
      'measure-only': { type: 'boolean', default: false },
    },
  });
  const name = VICTIM_NAMES.find((known) => known === values.spec);
  if (name === undefined) throw new RangeError(`--spec is '${values.spec ?? ''}'; give ${VICTIM_NAMES.join(', ')}`);
  if (values.pack === undefined) throw new RangeError('--pack is missing; give the folder of the source pack');
  const wholeNumber = (option: 'seed' | 'threads' | 'steps', least: number): number => {
    const value = Number(values[option]);
    if (Number.isInteger(value) && value >= least) return value;
    throw new RangeError(`--${option} is '${values[option]}'; give a whole number from ${least}`);
  };
  return {
    name,
    packDir: values.pack,
    clipsDir: values.clips,
    out: values.out ?? `zoo/victims/${name}`,
    seed: wholeNumber('seed', 0),
    threads: wholeNumber('threads', 1),
    steps: wholeNumber('steps', 1),
    measureOnly: values['measure-only'],
  };
}
