import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Assessment, assess, boundaryWalk, clipsInMemory } from '@faultline/attack-algorithms/sanity';
import { TRAP_FAMILIES, type TrappedVictim, trapVictim } from '@faultline/attack-algorithms/traps';
import { seededRandom } from '@faultline/metrics';
import { decodeModel } from '@faultline/onnx';
import { parseCard, type Victim } from '@faultline/victim';
import { LocalVictim } from '@faultline/victim-local';
import { type ClipBatch, loadClips } from '../strength/shipped-clips.ts';
import { NORM_NAMES, type NormName, probedClips } from './probed.ts';

const USAGE = `Whether masked gradients are noticed, and what becomes of the score: traps with parameters drawn at random, built into a victim; and clean victims.

  npm run bench:traps -- [--json] [--victim mid] [--draws N] [--clips N] [--steps N] [--clean early,mid,late] [--clean-clips N]

  --draws N         traps of each family (20)
  --clips N         clips of the trapped victim, those first that it gets right (3)
  --steps N         steps along the boundary, where that is the remedy (60)
  --clean-clips N   clips of each clean victim (12)`;

const ZOO = fileURLToPath(new URL('../../../../zoo/', import.meta.url));

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    victim: { type: 'string', default: 'mid' },
    draws: { type: 'string', default: '20' },
    clips: { type: 'string', default: '3' },
    steps: { type: 'string', default: '60' },
    clean: { type: 'string', default: 'early,mid,late' },
    'clean-clips': { type: 'string', default: '12' },
    help: { type: 'boolean', default: false },
  },
});

function whole(name: 'draws' | 'clips' | 'steps' | 'clean-clips'): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be an integer of at least 1`);
  return value;
}

/** One trap, and what was made of it. */
interface Outcome {
  readonly drawn: string;
  readonly verdict: Assessment['verdict'];
  readonly indicators: readonly string[];
  /** Scales that were found over the best known of the same function, one a clip; where scales were reported. */
  readonly ratios: readonly number[];
  /** Walk that found them; empty: none. */
  readonly remedy: string;
  /** Why the score is withheld or comes from elsewhere. */
  readonly reason: string;
}

/** Best known scales of the function that a trap hides, found where its gradient shows; of one function once. */
class KnownScales {
  readonly #known = new Map<string, readonly number[]>();

  async of({ revealed }: TrappedVictim, clips: ClipBatch, norm: NormName, steps: number): Promise<readonly number[]> {
    const known = this.#known.get(revealed.card.sha256);
    if (known !== undefined) return known;
    await using victim = await LocalVictim.load(revealed);
    const found = await boundaryWalk(victim, await probedClips(victim, clips, norm), { steps: 2 * steps });
    const scales = found.map(({ scale }) => scale ?? Number.NaN);
    this.#known.set(revealed.card.sha256, scales);
    return scales;
  }
}

async function outcomeOf(trap: TrappedVictim, clips: ClipBatch, norm: NormName, known: KnownScales): Promise<Outcome> {
  await using victim = await LocalVictim.load(trap.masked);
  const steps = whole('steps');
  const assessment = await assess(victim, clipsInMemory(await probedClips(victim, clips, norm)), { steps });
  const { verdict, findings } = assessment;
  const reason = assessment.verdict === 'sound' ? '' : assessment.reason;
  const remedy = assessment.verdict === 'remedied' ? assessment.remedy : '';
  const outcome = {
    drawn: trap.drawn,
    verdict,
    remedy,
    indicators: findings.map(({ indicator }) => indicator),
    reason,
  };
  if (assessment.verdict !== 'remedied') return { ...outcome, ratios: [] };
  const best = await known.of(trap, clips, norm, steps);
  const ratios = assessment.found.map(({ clip, scale }) => (scale ?? Number.NaN) / (best[clip] ?? Number.NaN));
  return { ...outcome, ratios };
}

async function trapped(): Promise<object[]> {
  const folder = `${ZOO}victims/${values.victim}`;
  const card = parseCard(await readFile(`${folder}/card.json`, 'utf8'));
  const setting = { card, graph: decodeModel(await readFile(`${folder}/${card.model}`)).graph };
  const known = new KnownScales();
  const reports: object[] = [];
  await using original = await LocalVictim.fromFolder(folder);
  const clips = await loadClips(original, `${ZOO}clips`, whole('clips'));
  for (const [place, family] of TRAP_FAMILIES.entries()) {
    const outcomes: Outcome[] = [];
    for (let draw = 0; draw < whole('draws'); draw += 1) {
      const trap = trapVictim(family, setting, seededRandom(1_000_003 * (place + 1) + 7919 * draw));
      outcomes.push(await outcomeOf(trap, clips, 'linf', known));
      if (!values.json) console.log(lineOf(family.name, outcomes.at(-1)));
    }
    reports.push(summaryOf(family.name, outcomes));
  }
  return reports;
}

function lineOf(family: string, outcome: Outcome | undefined): string {
  if (outcome === undefined) return family;
  const ratios = outcome.ratios.map((ratio) => ratio.toFixed(3)).join(' ');
  return `  ${family} (${outcome.drawn}): ${outcome.indicators.join(', ') || 'nothing noticed'}; ${outcome.verdict} ${ratios === '' ? outcome.reason : `${outcome.remedy} ${ratios}`}`;
}

function summaryOf(family: string, outcomes: readonly Outcome[]) {
  const count = (test: (outcome: Outcome) => boolean) => outcomes.filter(test).length;
  const ratios = outcomes.flatMap((outcome) => outcome.ratios).toSorted((a, b) => a - b);
  return {
    family,
    draws: outcomes.length,
    flagged: count(({ verdict }) => verdict !== 'sound'),
    withheld: count(({ verdict }) => verdict === 'withheld'),
    remedied: count(({ verdict }) => verdict === 'remedied'),
    medianRatio: ratios[Math.floor(ratios.length / 2)] ?? null,
    largestRatio: ratios.at(-1) ?? null,
    ...(values.json ? { outcomes } : {}),
  };
}

/** False flags: every norm and every choice of variables of a clean victim is a threat model. */
async function clean(name: string): Promise<object> {
  await using victim: Victim = await LocalVictim.fromFolder(`${ZOO}victims/${name}`);
  const clips = await loadClips(victim, `${ZOO}clips`, whole('clean-clips'));
  const inputs = [...clips.inputs.keys()];
  const choices = [...new Set([...inputs.map((input) => input), inputs.join()])];
  let [threatModels, flagged] = [0, 0];
  for (const norm of NORM_NAMES) {
    for (const choice of choices) {
      const probed = clipsInMemory(await probedClips(victim, clips, norm, choice.split(',')));
      const { findings } = await assess(victim, probed, { probed: probed.count, remedies: [] });
      threatModels += 1;
      flagged += findings.length > 0 ? 1 : 0;
    }
  }
  return { victim: name, threatModels, flagged, clips: clips.labels.length };
}

async function main(): Promise<void> {
  const cleanVictims: object[] = [];
  for (const name of values.clean.split(',')) cleanVictims.push(await clean(name));
  if (!values.json) console.table(cleanVictims);
  const traps = await trapped();
  if (values.json) console.log(JSON.stringify({ clean: cleanVictims, traps }, null, 2));
  else console.table(traps);
}

if (values.help) console.log(USAGE);
else await main();
