import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Cost, Victim } from '@faultline/victim';
import { RemoteVictim } from '@faultline/victim-grpc';
import { LocalVictim } from '@faultline/victim-local';
import { startInference } from '../loop/inference-process.ts';
import { median } from '../timing.ts';
import { attackRun, clipSteps, timedAttack, type WorkSize } from './attack-work.ts';

const USAGE = `How fast whole attacks are on the reference victims, in this process and against an inference service over gRPC, in turns.

  npm run bench:attack -- [--json] [--clips N] [--steps N] [--rounds N] [--threads N] [--victims early,mid,late] [--attacks pgd,apgd]

  --clips N    clips of the batch, each at 4 budgets of sound and pictures (4)
  --steps N    gradient steps (50)
  --rounds N   attacks of each kind (3)
  --threads N  threads of one evaluation (all processors)
  --json       one JSON object`;

const VICTIMS = fileURLToPath(new URL('../../../../zoo/victims/', import.meta.url));

/** Target: the share of time that gRPC may add. */
const TARGET_OVERHEAD = 0.05;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    clips: { type: 'string', default: '4' },
    steps: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(availableParallelism()) },
    victims: { type: 'string', default: 'early,mid,late' },
    attacks: { type: 'string', default: 'pgd,apgd' },
    help: { type: 'boolean', default: false },
  },
});

function count(name: 'clips' | 'steps' | 'rounds' | 'threads'): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be an integer of at least 1`);
  return value;
}

interface Speed {
  readonly medianMs: number;
  readonly clipStepsPerSecond: number;
}

interface Row extends Cost {
  readonly victim: string;
  readonly attack: string;
  readonly local: Speed;
  readonly grpc: Speed;
  /** Share of time that gRPC adds: median over the rounds of the ratio within a round, less 1. */
  readonly overhead: number;
  /** The same of the fastest runs, which suffers less where other processes work. */
  readonly overheadOfFastest: number;
}

/** Attacks of both kinds in turns, the order changing from round to round; one of each before does not count. */
async function measure(local: Victim, grpc: Victim, attack: string, size: WorkSize, rounds: number): Promise<Row> {
  const description = await local.describe();
  const run = attackRun(description, attack, size);
  const kinds = [
    { victim: local, times: [] as number[] },
    { victim: grpc, times: [] as number[] },
  ] as const;
  const costs = new Set<string>();
  for (let round = -1; round < rounds; round++) {
    for (const { victim, times } of round % 2 === 0 ? kinds : kinds.toReversed()) {
      const { ms, cost } = await timedAttack(victim, run);
      costs.add(JSON.stringify(cost));
      if (round >= 0) times.push(ms);
    }
  }
  const [cost = '', ...others] = costs;
  if (others.length > 0) throw new Error(`attacks on one victim cost differently: ${[...costs].join(', ')}`);
  const { forwardExamples, gradientExamples }: Cost = JSON.parse(cost);
  const [own, remote] = kinds.map(({ times }) => times);
  const speed = (times: readonly number[] = []): Speed => {
    const medianMs = median(times);
    return { medianMs, clipStepsPerSecond: (1000 * clipSteps(size)) / medianMs };
  };
  return {
    victim: description.card.name,
    attack,
    local: speed(own),
    grpc: speed(remote),
    overhead: median((remote ?? []).map((ms, round) => ms / (own?.[round] ?? Number.NaN))) - 1,
    overheadOfFastest: Math.min(...(remote ?? [])) / Math.min(...(own ?? [])) - 1,
    forwardExamples,
    gradientExamples,
  };
}

async function bench(): Promise<void> {
  const size = { clips: count('clips'), steps: count('steps') };
  const [threads, rounds] = [count('threads'), count('rounds')];
  const rows: Row[] = [];
  let runtime = '';
  for (const name of values.victims.split(',')) {
    const folder = `${VICTIMS}${name}`;
    await using local = await LocalVictim.fromFolder(folder, { threads });
    await using server = await startInference(folder, threads);
    await using grpc = new RemoteVictim(server.address);
    runtime = (await local.describe()).runtime;
    for (const attack of values.attacks.split(',')) rows.push(await measure(local, grpc, attack, size, rounds));
  }
  if (values.json) {
    const targets = { overhead: TARGET_OVERHEAD };
    const overhead = Math.max(...rows.map((row) => row.overhead));
    const result = { runtime, threads, ...size, clipSteps: clipSteps(size), rounds, targets, overhead, attacks: rows };
    process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
    return;
  }
  process.stdout.write(`${table(rows).join('\n')}\n`);
  process.stdout.write(
    `${clipSteps(size)} clip-steps (${size.clips} clips at 4 budgets, ${size.steps} steps), ${threads} threads, medians of ${rounds}; batch, steps and candidates included; overhead: target at most ${percent(TARGET_OVERHEAD)}\n`,
  );
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function table(rows: readonly Row[]): string[] {
  const cells = [
    ['victim', 'attack', 'clip-steps/s here', 'over gRPC', 'overhead', 'of fastest', 'forward', 'gradient'],
    ...rows.map(({ victim, attack, local, grpc, ...row }) => [
      victim,
      attack,
      local.clipStepsPerSecond.toFixed(0),
      grpc.clipStepsPerSecond.toFixed(0),
      percent(row.overhead),
      percent(row.overheadOfFastest),
      String(row.forwardExamples),
      String(row.gradientExamples),
    ]),
  ];
  const [first = []] = cells;
  const widths = first.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '));
}

if (values.help) process.stdout.write(`${USAGE}\n`);
else await bench();
