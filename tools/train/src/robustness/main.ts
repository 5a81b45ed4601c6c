import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { victim } from '@faultline/contracts';
import { parseCard } from '@faultline/victim';
import { LocalVictim } from '@faultline/victim-local';
import { RUNS_DIR } from '../kept-run.ts';
import { percent } from '../print-figures.ts';
import { CARD_FILE, writeCard } from '../write-victim.ts';
import { type Arguments, readArguments, USAGE } from './arguments.ts';
import { loadAttackedClips } from './attacked-clips.ts';
import { robustnessFigures } from './figures.ts';
import { measureOutcomes, type Outcomes, readOutcomes, writeOutcomes } from './outcomes.ts';

const OUTCOMES_DIR = `${RUNS_DIR}/robustness`;
const STRATUM = 'unseen';

const outcomesOf = (name: string): string => join(OUTCOMES_DIR, `${name}.json`);

async function measureRobustness(options: Arguments): Promise<void> {
  const { zoo, clipsDir, threads, setting, against } = options;
  const folder = join(zoo, options.victim);
  const others = await Promise.all(against.map((name) => comparedWith(zoo, name)));
  const card = parseCard(await readFile(join(folder, CARD_FILE), 'utf8'));
  const clips = await loadAttackedClips(card, clipsDir, STRATUM, setting.clips);
  const subject = await LocalVictim.fromFolder(folder, { threads });
  const outcomes = await measureOutcomes(subject, clips, setting, ({ variables }) =>
    console.log(`  ${variables.join(' and ')}: done`),
  );
  await mkdir(OUTCOMES_DIR, { recursive: true });
  await writeOutcomes(outcomesOf(card.name), outcomes);
  const robustness = robustnessFigures(outcomes, `clips-${STRATUM}`, clips.groups, others);
  await writeCard(folder, { ...card, robustness });
  console.log(robustness.map(line).join('\n'));
}

/** @throws RangeError when the victim was changed since it was measured. */
async function comparedWith(zoo: string, name: string): Promise<Outcomes> {
  const outcomes = await readOutcomes(outcomesOf(name));
  const card = parseCard(await readFile(join(zoo, name, CARD_FILE), 'utf8'));
  const thresholds = card.labels.map(({ threshold }) => threshold);
  if (card.sha256 === outcomes.modelSha256 && thresholds.join() === outcomes.thresholds.join()) return outcomes;
  throw new RangeError(`'${name}' was changed since its robustness was measured; measure it again`);
}

const told = (share: victim.ClipShare | undefined): string =>
  share === undefined ? '-' : `${percent(share.share)} [${percent(share.low)}, ${percent(share.high)}]`;

function line({ budgets, clean, attacked, noise, gains }: victim.RobustnessFigure): string {
  const budget = budgets.map(({ variable, epsilon }) => `${variable} ${epsilon.toPrecision(3)}`).join(', ');
  const compared = gains.map(
    ({ against, difference, low, high }) =>
      `  against ${against} ${percent(difference)} [${percent(low)}, ${percent(high)}]`,
  );
  return `  ${budget}: clean ${told(clean)}  pgd ${told(attacked)}  noise ${told(noise)}${compared.join('')}`;
}

try {
  await measureRobustness(readArguments(process.argv.slice(2)));
} catch (error) {
  const isOption = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  console.error(error instanceof RangeError || isOption ? `${(error as Error).message}\n${USAGE}` : error);
  process.exitCode = 2;
}
