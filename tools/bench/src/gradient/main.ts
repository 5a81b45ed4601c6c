import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tableOf } from '../markdown-table.ts';
import { writeTables } from '../readme-tables.ts';
import { benchWorkload, type Result } from './bench-workload.ts';
import { memoryRow, resultRow, weightGradientLine } from './report.ts';
import { benchWeightGradients, type WeightGradientResult } from './weight-gradient.ts';
import { WORKLOADS } from './workload.ts';

const USAGE = `What a loss and its input gradients cost, compared with the plain forward pass.

  npm run bench:gradient -- [--json] [--quick] [--only NAME[,NAME]] [--rounds N] [--write]

  --json       one JSON object: { gradients: [...], weightGradients: [...] }
  --quick      5 rounds in place of 21
  --only NAME  these workloads alone: ${WORKLOADS.map(({ name }) => name).join(', ')}
  --rounds N   timed runs of each kind
  --write      puts the tables into libs/autodiff/README.md, too`;

const ROUNDS = 21;
const QUICK_ROUNDS = 5;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function bench(): Promise<void> {
  const rounds = Number(values.rounds ?? (values.quick ? QUICK_ROUNDS : ROUNDS));
  if (!(Number.isInteger(rounds) && rounds >= 1)) throw new Error('--rounds must be an integer of at least 1');
  const chosen = values.only?.split(',');
  if (values.write && chosen !== undefined) throw new Error('--write needs all networks: leave --only out');
  const unknown = chosen?.find((name) => !WORKLOADS.some((workload) => workload.name === name));
  if (unknown !== undefined) throw new Error(`--only: no workload '${unknown}'\n\n${USAGE}`);
  const gradients: Result[] = [];
  for (const workload of WORKLOADS) {
    if (chosen !== undefined && !chosen.includes(workload.name)) continue;
    if (process.stderr.isTTY) process.stderr.write(`${workload.name} ...\n`);
    gradients.push(await benchWorkload(workload, rounds));
  }
  const weightGradients = chosen === undefined ? await benchWeightGradients(rounds) : [];
  if (values.write) await writeTables(PLACE, asText(gradients, weightGradients));
  process.stdout.write(values.json ? asJson(gradients, weightGradients) : asText(gradients, weightGradients));
}

/** Where `--write` puts the tables. */
const PLACE = {
  readme: fileURLToPath(new URL('../../../../libs/autodiff/README.md', import.meta.url)),
  bench: 'bench:gradient',
};

const asJson = (gradients: readonly Result[], weightGradients: readonly WeightGradientResult[]) =>
  `${JSON.stringify({ gradients, weightGradients }, undefined, 2)}\n`;

const asText = (gradients: readonly Result[], weightGradients: readonly WeightGradientResult[]) =>
  [
    tableOf(gradients.map(resultRow)),
    tableOf(gradients.map(memoryRow)),
    ...weightGradients.map(weightGradientLine),
    '',
  ].join('\n');

if (values.help) process.stdout.write(`${USAGE}\n`);
else await bench();
