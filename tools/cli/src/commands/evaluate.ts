import { resolve } from 'node:path';
import type { CleanFigures, PartEvaluation, VictimEvaluation } from '../evaluation/clean-figures.ts';
import { UsageError } from '../exit-code.ts';
import { ratio } from '../output/figures.ts';
import { printJson, printLines } from '../output/print.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { textColumn, textTable } from '../output/text-table.ts';
import { victimFolders } from '../stack/victim-folders.ts';
import { CLIPS_DIR, VICTIMS_DIR } from '../workspace.ts';
import type { CommandDefinition } from './command-definition.ts';
import { addJson, addVictim, addVictims, type JsonOption, type VictimOption, wholeNumber } from './options.ts';

interface EvaluateOptions extends JsonOption, VictimOption {
  readonly victims?: string;
  readonly all?: true;
  readonly clips?: string;
  readonly threads: number;
}

/** Largest differences that count as a match: of whole figures, of one label, of the clips of one style. */
type Tolerance = CleanFigures & { readonly label: number; readonly style: number };

/** `faultline evaluate`: do cards tell the truth? */
export const evaluate: CommandDefinition = {
  name: 'evaluate',
  summary: 'recompute the clean figures of cards from the shipped clips, and say whether they match',
  examples: ['faultline evaluate --victim late', 'faultline evaluate --all --json'],
  configure: (command) => {
    addVictims(addVictim(command))
      .option('--all', 'every victim in the folder of victims (the default)')
      .option('--clips <folder>', 'clip set (default: zoo/clips, in the checkout)')
      .option('--threads <count>', 'threads of the runtime', wholeNumber(1), 1)
      .addHelpText('after', '\nExit code 1 unless every figure matches its card within the tolerance that is printed.');
    addJson(command).action((options: EvaluateOptions) => evaluateVictims(options));
  },
};

async function evaluateVictims({ victim = [], all, victims, clips, threads, json }: EvaluateOptions): Promise<void> {
  const folders = await victimFolders(victims === undefined ? VICTIMS_DIR : resolve(victims), [
    ...victim,
    ...(all === true ? ['all'] : []),
  ]);
  // The runtime is loaded for this command alone: it takes longer than most others run.
  const { evaluateVictim, PART_TOLERANCE, TOLERANCE } = await import('../evaluation/clean-figures.ts');
  const { readLabelledClips } = await import('../evaluation/labelled-clips.ts');
  const labelled = await readLabelledClips(clips === undefined ? CLIPS_DIR : resolve(clips));
  const found: VictimEvaluation[] = [];
  {
    using progress = new ProgressLine();
    for (const [name, folder] of folders) {
      const onClips = (done: number) => progress.say(`${name}: ${done} clips`);
      try {
        found.push(await evaluateVictim(folder, labelled, { threads, onClips }));
      } catch (cause) {
        if (cause instanceof Error && ['CardError', 'OnnxError'].includes(cause.name)) {
          throw new UsageError(`${name}: ${cause.message}`, { cause });
        }
        throw cause;
      }
    }
  }
  if (json === true) printJson({ tolerance: { ...TOLERANCE, ...PART_TOLERANCE }, victims: found });
  else printEvaluations(found, { ...TOLERANCE, ...PART_TOLERANCE });
  const wrong = found.filter(({ matches }) => matches === false).map(({ victim: name }) => name);
  if (wrong.length > 0) throw new Error(`the card does not match what was measured: ${wrong.join(', ')}`);
  if (found.every(({ matches }) => matches === null)) {
    throw new Error('no card holds a figure of shipped clips, so nothing was checked');
  }
}

/** How many figures of single labels or styles match. */
const matching = (parts: readonly PartEvaluation[]): string =>
  parts.length === 0 ? '-' : `${parts.filter(({ matches }) => matches).length} of ${parts.length}`;

function printEvaluations(found: readonly VictimEvaluation[], tolerance: Tolerance): void {
  const columns = [
    textColumn('victim'),
    textColumn('split'),
    ...['clips', 'mAP', 'card', 'AUC', 'card', "d'", 'card', 'labels', 'styles'].map((title) => ({ title })),
    textColumn('verdict'),
  ];
  const rows = found.flatMap(({ victim, splits }) =>
    splits.map(({ split, clips, card, found: now, labels, styles, matches }) => [
      victim,
      split,
      String(clips),
      ratio(now.meanAveragePrecision),
      ratio(card.meanAveragePrecision),
      ratio(now.areaUnderCurve),
      ratio(card.areaUnderCurve),
      now.dPrime.toFixed(2),
      card.dPrime.toFixed(2),
      matching(labels),
      matching(styles),
      matches ? 'matches' : 'DIFFERS',
    ]),
  );
  const left = found.filter(({ splits }) => splits.length === 0).map(({ victim }) => victim);
  const others = [...new Set(found.flatMap(({ notRecomputed }) => notRecomputed))];
  printLines([
    ...textTable(columns, rows),
    '',
    `tolerance: mAP and AUC ${tolerance.meanAveragePrecision}, d' ${tolerance.dPrime}, a label ${tolerance.label}, a style ${tolerance.style}`,
    ...(others.length === 0 ? [] : [`not of shipped clips, so not recomputed: ${others.join(', ')}`]),
    ...(left.length === 0 ? [] : [`without figures of shipped clips: ${left.join(', ')}`]),
  ]);
}
