import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LocalVictim } from '@faultline/victim-local';
import { loadClips } from '../strength/shipped-clips.ts';
import { type GapNorm, searchedScales, searchersOf } from './searched-scales.ts';

const USAGE = `How far each search for the smallest perturbation is from the best known of each clip, on the shipped victims; verified by fresh predictions.

  npm run bench:gap -- [--json] [--clips N] [--steps N] [--victims early,mid,late] [--norms linf,l2,l1,l0]

  --clips N   clips of each victim, those first that it gets right (4)
  --steps N   gradient steps of each search; of each probe, a fifth, where a fixed-budget attack is bisected (100)`;

const ZOO = fileURLToPath(new URL('../../../../zoo/', import.meta.url));

/** A bisection runs a fixed-budget attack several times: each gets this share of the steps. */
const PROBE_SHARE = 0.2;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    clips: { type: 'string', default: '4' },
    steps: { type: 'string', default: '100' },
    victims: { type: 'string', default: 'early,mid,late' },
    norms: { type: 'string', default: 'linf,l2,l1,l0' },
    help: { type: 'boolean', default: false },
  },
});

function count(name: 'clips' | 'steps'): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be an integer of at least 1`);
  return value;
}

function normOf(name: string): GapNorm {
  if (name === 'linf' || name === 'l2' || name === 'l1' || name === 'l0') return name;
  throw new Error(`--norms must name linf, l2, l1 or l0, not '${name}'`);
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

async function main(): Promise<void> {
  const steps = count('steps');
  const reports: object[] = [];
  for (const name of values.victims.split(',')) {
    await using victim = await LocalVictim.fromFolder(`${ZOO}victims/${name}`);
    const clips = await loadClips(victim, `${ZOO}clips`, count('clips'));
    for (const norm of values.norms.split(',').map(normOf)) {
      const searches: { attack: string; scales: readonly number[]; gradients: number }[] = [];
      for (const attack of searchersOf(norm, clips.inputs.size)) {
        const own = attack === 'pgd' || attack === 'apgd' ? Math.max(1, Math.round(steps * PROBE_SHARE)) : steps;
        searches.push({ attack, ...(await searchedScales(victim, clips, { attack, norm, steps: own })) });
      }
      const best = clips.labels.map((_, clip) => Math.min(...searches.map(({ scales }) => scales[clip] ?? Infinity)));
      const rows = searches.map(({ attack, scales, gradients }) => ({
        attack,
        median: median(scales),
        gap: median(scales) / median(best),
        gradientsPerClip: gradients / clips.labels.length,
      }));
      reports.push({ victim: name, norm, clips: clips.labels.length, bestKnownMedian: median(best), attacks: rows });
      if (values.json) continue;
      console.log(
        `\n${name}, ${norm}, ${clips.labels.length} clips, best known median scale ${median(best).toPrecision(4)}`,
      );
      for (const { attack, median: own, gap, gradientsPerClip } of rows) {
        const figures = [own.toPrecision(4), `x ${gap.toFixed(3)}`, `${Math.round(gradientsPerClip)} gradients a clip`];
        console.log(`  ${attack.padEnd(16)}${figures.map((text) => text.padStart(12)).join('  ')}`);
      }
    }
  }
  if (values.json) console.log(JSON.stringify(reports, undefined, 2));
}

if (values.help) console.log(USAGE);
else await main();
