import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { VICTIM_NAMES, VICTIM_SPECS, type VictimName } from '@faultline/fusion';
import { LocalVictim } from '@faultline/victim-local';
import { writeTables } from '../readme-tables.ts';
import { loadClips } from '../strength/shipped-clips.ts';
import { Case } from './case.ts';
import { type Contestants, normContest, robustContest, speedContest } from './contests.ts';
import { logitDifference, startPeers } from './peer-attacks.ts';
import { type Problem, titleOf } from './problem.ts';
import {
  markdownOf,
  normLines,
  robustLines,
  speedLines,
  summarise,
  type VictimReport,
  WITH_WEIGHTS,
} from './report.ts';

const USAGE = `Our attacks beside those of Foolbox, ART, adv-lib (AutoAttack's APGD among them) and torchattacks, on the same clips, at the same number of
steps; every success is one of a fresh prediction by our unchanged victim.

  npm run bench:peers -- --python PATH [--out FILE] [--victims early,mid,late] [--clips N] [--steps N] [--search-steps N] [--threads N] [--rounds N] [--sparse] [--write]

  --python PATH      an interpreter with tools/bench/peers/requirements.txt
  --out FILE         all figures as JSON (.cache/peers.json)
  --clips N          clips of each victim, those first that it gets right (12)
  --steps N          gradient steps of attacks with a budget (20)
  --search-steps N   of searches for the smallest perturbation (100)
  --threads N        threads of either side (1: several wait for each other, which counts as processor time)
  --rounds N         turns that are timed (3)
  --sparse           searches in L1 and L0 too
  --write            puts tables into tools/bench/peers/README.md`;

const ZOO = fileURLToPath(new URL('../../../../zoo/', import.meta.url));
/** Where `--write` puts the tables. */
const PLACE = { readme: fileURLToPath(new URL('../../peers/README.md', import.meta.url)), bench: 'bench:peers' };
/** Relative; more is no rounding. */
const LOGIT_TOLERANCE = 1e-5;
/** A budget, in units of the ranges, at which no clip falls. */
const TIMED_EPSILON = 1e-7;

const both = ['waveform', 'frames'] as const;

interface RobustContest {
  readonly problem: Problem;
  readonly epsilons: readonly number[];
  readonly attacks: Contestants;
}

const OURS_FIXED = ['pgd', 'apgd'];
const PEERS_FIXED = ['foolbox pgd', 'art pgd', 'art apgd', 'adv-lib apgd', 'torchattacks apgd'];

/** From budgets that few clips fall to, to budgets that most do; in units of the ranges. */
const ROBUST: readonly RobustContest[] = [
  {
    problem: { norm: 'linf', variables: both },
    epsilons: [1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3],
    attacks: { ours: OURS_FIXED, peers: PEERS_FIXED },
  },
  {
    problem: { norm: 'l2', variables: ['waveform'] },
    epsilons: [0.01, 0.02, 0.04, 0.08, 0.16],
    attacks: { ours: OURS_FIXED, peers: PEERS_FIXED },
  },
  {
    problem: { norm: 'l2', variables: ['frames'] },
    epsilons: [0.125, 0.25, 0.5, 1, 2],
    attacks: { ours: OURS_FIXED, peers: PEERS_FIXED },
  },
];

interface NormContest {
  readonly problem: Problem;
  readonly attacks: Contestants;
}

const L2: Contestants = {
  ours: ['fmn', 'ddn', 'deepfool', 'fab', 'carlini_wagner'],
  peers: [
    'foolbox fmn',
    'foolbox ddn',
    'foolbox deepfool',
    'foolbox cw',
    'adv-lib fmn',
    'adv-lib ddn',
    'adv-lib deepfool',
    'adv-lib fab',
  ],
};
const SPARSE: Contestants = { ours: ['fmn'], peers: ['foolbox fmn', 'adv-lib fmn'] };

const DENSE_NORMS: readonly NormContest[] = [
  {
    problem: { norm: 'linf', variables: both },
    attacks: {
      ours: ['fmn', 'deepfool', 'fab'],
      peers: ['foolbox fmn', 'foolbox deepfool', 'adv-lib fmn', 'adv-lib deepfool', 'adv-lib fab'],
    },
  },
  { problem: { norm: 'l2', variables: ['waveform'] }, attacks: L2 },
  { problem: { norm: 'l2', variables: ['frames'] }, attacks: L2 },
];
const SPARSE_NORMS: readonly NormContest[] = [
  { problem: { norm: 'l1', variables: ['waveform'] }, attacks: { ours: [...SPARSE.ours, 'ead'], peers: SPARSE.peers } },
  { problem: { norm: 'l1', variables: ['frames'] }, attacks: { ours: [...SPARSE.ours, 'ead'], peers: SPARSE.peers } },
  {
    problem: { norm: 'l0', variables: ['frames'] },
    attacks: { ours: [...SPARSE.ours, 'sigma_zero'], peers: [...SPARSE.peers, 'adv-lib sigma-zero'] },
  },
];
const TIMED_PEERS = ['foolbox pgd', 'art pgd', 'art apgd'];
const SPEED: Contestants = {
  ours: ['pgd', 'apgd'],
  peers: TIMED_PEERS.flatMap((name) => [name, `${name}${WITH_WEIGHTS}`]),
};

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    out: { type: 'string', default: '.cache/peers.json' },
    victims: { type: 'string', default: VICTIM_NAMES.join() },
    clips: { type: 'string', default: '12' },
    steps: { type: 'string', default: '20' },
    'search-steps': { type: 'string', default: '100' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    sparse: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function count(name: 'clips' | 'steps' | 'search-steps' | 'threads' | 'rounds'): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`--${name} must be an integer of at least 1`);
  return value;
}

function victimNames(): VictimName[] {
  return values.victims.split(',').map((name) => {
    const found = VICTIM_NAMES.find((known) => known === name);
    if (found === undefined) throw new RangeError(`--victims names '${name}'; give some of ${VICTIM_NAMES.join(', ')}`);
    return found;
  });
}

async function measure(name: VictimName, python: string): Promise<VictimReport> {
  const folder = path.join(ZOO, 'victims', name);
  const threads = count('threads');
  await using victim = await LocalVictim.fromFolder(folder, { threads });
  const given = await Case.of(victim, await loadClips(victim, path.join(ZOO, 'clips'), count('clips')));
  await using peers = await startPeers(python, threads, given, { folder, spec: VICTIM_SPECS[name] });
  const difference = await logitDifference(peers, given);
  console.log(`\n${name}, ${given.size} clips; logits of the twin differ by ${difference.toExponential(1)}, relative`);
  if (!(difference <= LOGIT_TOLERANCE))
    throw new Error(`the twin of '${name}' is none: at most ${LOGIT_TOLERANCE} is rounding`);

  const speedOptions = { steps: count('steps'), epsilon: TIMED_EPSILON, rounds: count('rounds'), attacks: SPEED };
  const speed = await speedContest(given, peers, { norm: 'linf', variables: both }, speedOptions);
  for (const line of speedLines(speed)) console.log(line);

  const robust: VictimReport['robust'][number][] = [];
  for (const { problem, epsilons, attacks } of ROBUST) {
    const rows = await robustContest(given, peers, problem, { steps: count('steps'), epsilons, attacks });
    robust.push({ problem: titleOf(problem), epsilons, rows });
    for (const line of robustLines(titleOf(problem), epsilons, rows)) console.log(line);
  }
  const norms: VictimReport['norms'][number][] = [];
  for (const { problem, attacks } of values.sparse ? [...DENSE_NORMS, ...SPARSE_NORMS] : DENSE_NORMS) {
    const rows = await normContest(given, peers, problem, { steps: count('search-steps'), attacks });
    norms.push({ problem: titleOf(problem), rows });
    for (const line of normLines(titleOf(problem), rows)) console.log(line);
  }
  return { victim: name, clips: given.size, logitDifference: difference, speed, robust, norms };
}

async function main(): Promise<void> {
  if (values.python === undefined)
    throw new Error('give --python the path of an interpreter; see tools/bench/peers/README.md');
  const reports: VictimReport[] = [];
  for (const name of victimNames()) reports.push(await measure(name, values.python));
  const summary = summarise(reports);
  console.log('');
  for (const line of summary.lines) console.log(line);
  const settings = {
    clips: count('clips'),
    steps: count('steps'),
    searchSteps: count('search-steps'),
    threads: count('threads'),
  };
  if (values.write) await writeTables(PLACE, markdownOf(reports, settings));
  await mkdir(path.dirname(values.out), { recursive: true });
  await writeFile(values.out, `${JSON.stringify({ settings, targets: summary.targets, reports }, undefined, 2)}\n`);
}

if (values.help) console.log(USAGE);
else await main();
