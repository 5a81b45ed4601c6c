import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCard } from '@faultline/victim';
import type { Job } from './job.ts';
import { keptRun, RUNS_DIR, type RunHistory, readKeptRun, WEIGHTS_FILE } from './kept-run.ts';
import { SPREAD_SPLIT } from './make-victim.ts';
import { measure } from './measure.ts';
import { figureLines, spreadLine } from './print-figures.ts';
import { digestOf, type RunRecord, sistersOf, spreadOver, writeRecord } from './run-record.ts';
import { CARD_FILE, MODEL_FILE, writeCard } from './write-victim.ts';

/** Measures the victim in its folder again and renews its card. Where its weights are kept, cost and spread over seeds too. */
export async function measureAgain({ options, spec, set, sets }: Job): Promise<void> {
  const { out, threads, name, seed } = options;
  const card = parseCard(await readFile(join(out, CARD_FILE), 'utf8'));
  const { labels, metrics, operatingPoint, logitScale } = await measure(
    await readFile(join(out, MODEL_FILE)),
    spec,
    sets,
    threads,
  );
  const history = await keptHistory(keptRun(name, seed, WEIGHTS_FILE));
  let { seedSpread, trainingCost } = card;
  if (history !== undefined) {
    const record: RunRecord = { name, seed, command: history.command, measuredOn: digestOf(set), metrics };
    await writeRecord(RUNS_DIR, record);
    trainingCost = history.cost;
    seedSpread = spreadOver(await sistersOf(RUNS_DIR, record), SPREAD_SPLIT);
  }
  // Whether a clip is on depends on the thresholds: what was measured with others says nothing now.
  const same = labels.every(({ threshold }, index) => threshold === card.labels[index]?.threshold);
  const robustness = same ? card.robustness : [];
  const measured = { labels: [...labels], metrics: [...metrics], operatingPoint, logitScale };
  await writeCard(out, { ...card, ...measured, seedSpread, trainingCost, robustness });
  console.log([...figureLines(metrics), ...(seedSpread ? [spreadLine(seedSpread)] : [])].join('\n'));
}

/** How a kept run came about; nothing where its weights were not kept. */
async function keptHistory(path: string): Promise<RunHistory | undefined> {
  const run = await readKeptRun(path).catch((error: unknown) => {
    if (error instanceof RangeError) return undefined;
    throw error;
  });
  return run?.history;
}
