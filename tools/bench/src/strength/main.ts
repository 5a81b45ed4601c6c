import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { catalogue } from '@faultline/attack-algorithms';
import { LocalVictim } from '@faultline/victim-local';
import { type RobustAccuracies, robustAccuracies, STRENGTH_NORMS, type StrengthNorm } from './robust-accuracy.ts';
import { loadClips } from './shipped-clips.ts';

const USAGE = `Which attack leaves the least robust accuracy on the shipped victims, at equal gradient count; successes are those of fresh predictions.

  npm run bench:strength -- [--json] [--clips N] [--gradients N] [--victims early,mid,late] [--norms linf,l2,l1] [--also mi-fgsm,ensemble]

  --clips N       clips of each victim, those first that it gets right (12)
  --gradients N   gradients of PGD and APGD for each clip and budget, and draws of noise (20)
  --also NAMES    further attacks of fixed budget, in the norms that they know: printed beside the order, which they are no part of`;

const ZOO = fileURLToPath(new URL('../../../../zoo/', import.meta.url));

/** Strongest first: each must leave no more than the next, and this share of clips. */
const ORDER = ['apgd', 'pgd', 'fgsm', 'noise'] as const;
const ALLOWANCE = 0.02;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    clips: { type: 'string', default: '12' },
    gradients: { type: 'string', default: '20' },
    victims: { type: 'string', default: 'early,mid,late' },
    norms: { type: 'string', default: STRENGTH_NORMS.join() },
    also: { type: 'string', default: 'mi-fgsm,ensemble' },
    help: { type: 'boolean', default: false },
  },
});

function count(name: 'clips' | 'gradients'): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be an integer of at least 1`);
  return value;
}

function normOf(name: string): StrengthNorm {
  const found = STRENGTH_NORMS.find((known) => known === name);
  if (found === undefined) throw new Error(`--norms names '${name}'; give some of ${STRENGTH_NORMS.join(', ')}`);
  return found;
}

/** Attacks of `--also` that know the norm. */
function alsoIn(norm: StrengthNorm): string[] {
  const names = values.also.split(',').filter((name) => name !== '');
  return names.filter((name) => {
    const row = catalogue.get(name);
    if (row?.kind !== 'fixed budget') throw new Error(`--also names '${name}', which is no attack of fixed budget`);
    return row.norms.includes(norm);
  });
}

/** Where an attack of the order leaves more than the next one and the allowance. */
function inversionsOf({ attacks }: RobustAccuracies): string[] {
  const robustOf = (name: string) => attacks.find(({ attack }) => attack === name)?.robust ?? [];
  return ORDER.slice(1).flatMap((weaker, index) => {
    const stronger = ORDER[index] ?? weaker;
    const robust = robustOf(stronger);
    const worse = robustOf(weaker).some((share, rung) => (robust[rung] ?? 1) > share + ALLOWANCE);
    return worse ? [`${stronger} > ${weaker}`] : [];
  });
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`.padStart(9);

async function main(): Promise<void> {
  const reports: object[] = [];
  for (const name of values.victims.split(',')) {
    await using victim = await LocalVictim.fromFolder(`${ZOO}victims/${name}`);
    const clips = await loadClips(victim, `${ZOO}clips`, count('clips'));
    for (const norm of values.norms.split(',').map(normOf)) {
      const attacks = [...ORDER, ...alsoIn(norm)];
      const accuracies = await robustAccuracies(victim, clips, { norm, gradients: count('gradients'), attacks });
      const inversions = inversionsOf(accuracies);
      reports.push({ victim: name, clips: clips.labels.length, ...accuracies, inversions });
      if (values.json) continue;
      console.log(`\n${name}, ${norm}, ${clips.labels.length} clips: robust deactivation accuracy at scale`);
      console.log(`${''.padEnd(8)}${accuracies.scales.map((scale) => String(scale).padStart(9)).join('')}   gradients`);
      for (const { attack, robust, gradients } of accuracies.attacks) {
        console.log(`${attack.padEnd(8)}${robust.map(percent).join('')}   ${gradients}`);
      }
      console.log(inversions.length === 0 ? 'in order' : `not in order: ${inversions.join(', ')}`);
    }
  }
  if (values.json) console.log(JSON.stringify({ allowance: ALLOWANCE, reports }, null, 2));
}

if (values.help) console.log(USAGE);
else await main();
