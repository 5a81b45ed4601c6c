import { parseArgs } from 'node:util';
import { ARCHITECTURE_NAMES, type ArchitectureName } from '@faultline/fusion';
import { RANGE_RULES, type RangeRule } from '@faultline/ort';

export const USAGE = `usage: npm run quantize -- --victim NAME --pack DIR [options]
  --victim NAME   victim to quantise, a folder of --zoo
  --pack DIR      source pack of sounds and pictures: calibration and thresholds come from its validation split
  --spec NAME     its architecture (NAME of the victim)
  --zoo DIR       folder of victims (zoo/victims)
  --out DIR       folder of the quantised victim (ZOO/NAME-int8)
  --clips DIR     labelled test clips to measure on (zoo/clips)
  --calibration N validation clips that ranges come from (256)
  --ranges RULE   ${RANGE_RULES.join('|')}: least squared error, or all that was seen (mse)
  --threads N     threads of the runtime (2)`;

export interface Arguments {
  readonly victim: string;
  readonly spec: ArchitectureName;
  readonly packDir: string;
  readonly zoo: string;
  readonly out: string;
  readonly clipsDir: string;
  readonly calibrationClips: number;
  readonly rule: RangeRule;
  readonly threads: number;
}

/** @throws RangeError that names the option, its value and what to give. */
export function readArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      victim: { type: 'string' },
      spec: { type: 'string' },
      pack: { type: 'string' },
      zoo: { type: 'string', default: 'zoo/victims' },
      out: { type: 'string' },
      clips: { type: 'string', default: 'zoo/clips' },
      calibration: { type: 'string', default: '256' },
      ranges: { type: 'string', default: 'mse' },
      threads: { type: 'string', default: '2' },
    },
  });
  const { victim, pack, zoo } = values;
  if (victim === undefined) throw new RangeError('--victim is missing; give the name of the victim to quantise');
  if (pack === undefined) throw new RangeError('--pack is missing; give the folder of the source pack');
  const spec = ARCHITECTURE_NAMES.find((known) => known === (values.spec ?? victim));
  if (spec === undefined) {
    throw new RangeError(`--spec is '${values.spec ?? victim}'; give ${ARCHITECTURE_NAMES.join(', ')}`);
  }
  const rule = RANGE_RULES.find((known) => known === values.ranges);
  if (rule === undefined) throw new RangeError(`--ranges is '${values.ranges}'; give ${RANGE_RULES.join(' or ')}`);
  const whole = (option: 'calibration' | 'threads'): number => {
    const value = Number(values[option]);
    if (Number.isInteger(value) && value > 0) return value;
    throw new RangeError(`--${option} is '${values[option]}'; give a whole number from 1`);
  };
  return {
    victim,
    spec,
    packDir: pack,
    zoo,
    out: values.out ?? `${zoo}/${victim}-int8`,
    clipsDir: values.clips,
    calibrationClips: whole('calibration'),
    rule,
    threads: whole('threads'),
  };
}

/** The command that makes the victim again. */
export const commandOf = ({ victim, spec, calibrationClips, rule, threads }: Arguments): string =>
  `npm run quantize -- --victim ${victim}${spec === victim ? '' : ` --spec ${spec}`} --calibration ${calibrationClips} --ranges ${rule} --threads ${threads} --pack DIR`;
