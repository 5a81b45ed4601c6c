import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LocalVictim } from '@faultline/victim-local';
import { loadClips } from '../strength/shipped-clips.ts';
import { type HeldOut, type Perturbed, universalFigures } from './universal-figures.ts';

const USAGE = `What one perturbation for all clips does to clips that it was not crafted on, on the shipped victims: crafted on the clips of seen sources, tested on
those of unseen ones; success counts clips whose labels were on when clean. Beside it random noise of the norm that was really reached.

  npm run bench:universal -- [--json] [--craft N] [--test N] [--passes N] [--scale S] [--victims early,mid,late] [--norms linf,l2]

  --craft N    clips of the crafting split (12)
  --test N     clips of the held-out split (24)
  --passes N   passes over the crafting split (20)
  --scale S    budget: S x 0.001 (waveform) and S x 0.004 (frames) in L-inf, S x 0.1 and S x 1 in L2 (16)`;

const ZOO = fileURLToPath(new URL('../../../../zoo/', import.meta.url));

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    craft: { type: 'string', default: '12' },
    test: { type: 'string', default: '24' },
    passes: { type: 'string', default: '20' },
    scale: { type: 'string', default: '16' },
    victims: { type: 'string', default: 'early,mid,late' },
    norms: { type: 'string', default: 'linf,l2' },
    help: { type: 'boolean', default: false },
  },
});

function count(name: 'craft' | 'test' | 'passes'): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be an integer of at least 1`);
  return value;
}

function scaleOf(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new Error(`--scale must be a number above 0, not '${text}'`);
  return value;
}

function normOf(name: string): 'linf' | 'l2' {
  if (name === 'linf' || name === 'l2') return name;
  throw new Error(`--norms must name linf, l2 or both, not '${name}'`);
}

const figure = (value: number | null) => (value === null ? 'none' : value.toFixed(3)).padStart(8);
const percent = (share: number) => `${(100 * share).toFixed(1)} %`.padStart(9);
const norms = (by: Readonly<Record<string, number>>) =>
  Object.entries(by)
    .map(([name, norm]) => `${name} ${norm.toPrecision(5)}`)
    .join(', ');

function line(name: string, { success, meanAveragePrecision, areaUnderCurve, dPrime }: HeldOut): string {
  return `  ${name.padEnd(16)}${percent(success)}${[meanAveragePrecision, areaUnderCurve, dPrime].map(figure).join('')}`;
}

function lines({ name, nominal, reached, applied, figures }: Perturbed): string[] {
  const text = `budget ${norms(nominal)}; norm ${norms(reached)}; applied at most ${norms(applied)}`;
  return [line(name, figures), `    ${text}`];
}

async function main(): Promise<void> {
  const reports: object[] = [];
  for (const name of values.victims.split(',')) {
    await using victim = await LocalVictim.fromFolder(`${ZOO}victims/${name}`);
    const craft = await loadClips(victim, `${ZOO}clips`, count('craft'), { files: 'seen-' });
    const test = await loadClips(victim, `${ZOO}clips`, count('test'), { files: 'unseen-', wrongToo: true });
    for (const norm of values.norms.split(',').map(normOf)) {
      const options = { norm, passes: count('passes'), scale: scaleOf(values.scale) };
      const report = await universalFigures(victim, { craft, test }, options);
      reports.push({ victim: name, norm, ...report });
      if (values.json) continue;
      console.log(
        `\n${name}, ${norm}: crafted on ${craft.labels.length} clips, ${report.on} of ${test.labels.length} held-out clips on when clean`,
      );
      console.log(`${''.padEnd(18)}  success     mAP     AUC      d'`);
      console.log(line('clean', report.clean));
      for (const perturbed of report.perturbed) console.log(lines(perturbed).join('\n'));
    }
  }
  if (values.json) console.log(JSON.stringify(reports, undefined, 2));
}

if (values.help) console.log(USAGE);
else await main();
