import type { score } from '@faultline/contracts';
import { CALLER } from '../campaign/caller.ts';
import { type ClipArgument, readClips, requestGroups } from '../clips/clip-arguments.ts';
import { joinPredictions } from '../clips/predictions.ts';
import { clipWords, inTermsOf, optionWords } from '../clips/request-errors.ts';
import { predictionTable } from '../output/prediction-table.ts';
import { printJson, printLines } from '../output/print.ts';
import { ProgressLine } from '../output/progress-line.ts';
import type { Session } from '../session.ts';
import { victimNames } from '../stack/victim-folders.ts';
import type { CommandDefinition } from './command-definition.ts';
import { type CommandOptions, inSession } from './in-session.ts';
import {
  addJson,
  addRuns,
  addVictim,
  addVictims,
  type FolderOptions,
  foldersOf,
  type JsonOption,
  type VictimOption,
} from './options.ts';

/** `faultline predict`: what victims hear and see in clips. */
export const predict: CommandDefinition = {
  name: 'predict',
  summary: 'tell what victims recognise in clips: active labels and their margins',
  examples: [
    'faultline predict zoo/clips/seen-001.mp4 zoo/clips/unseen-004.mp4',
    'faultline predict unseen-004 --victim late --json',
  ],
  configure: (command) => {
    addVictims(addRuns(addVictim(command))).argument('<clips...>', 'media files, or identifiers of clips of the set');
    addJson(command).action((clips: string[], options: FolderOptions & JsonOption & VictimOption) =>
      predictClips(clips, options.victim, { json: options.json === true, stack: foldersOf(options) }),
    );
  },
};

/** Clips of one request: small enough for progress to move, large enough to fill a batch. */
const CLIPS_PER_REQUEST = 32;

async function predictClips(
  names: readonly string[],
  victims: readonly string[] = [],
  { json, stack }: CommandOptions,
): Promise<void> {
  const groups = requestGroups(await readClips(names), CLIPS_PER_REQUEST);
  const asked = await victimNames(victims);
  const parts = await inSession({ ...stack, only: victims }, 'predictions', (session) =>
    predictGroups(session, groups, asked),
  );
  const predictions = joinPredictions(parts);
  if (json) return printJson(predictions);
  printLines(predictionTable(predictions));
}

async function predictGroups(
  { score, signal }: Session,
  groups: readonly ClipArgument[][],
  victims: readonly string[],
): Promise<score.PredictResponse[]> {
  using line = new ProgressLine();
  const startedAt = performance.now();
  const parts: score.PredictResponse[] = [];
  for (const [index, group] of groups.entries()) {
    const clips = group.map(({ source }) => source);
    const words = [...clipWords(clips), optionWords(/^victims/, () => '--victim')];
    const request = { context: CALLER, victims: [...victims], set: '', clips };
    parts.push(await inTermsOf(words, () => score.predict(request, { signal })));
    if (groups.length === 1) continue;
    const done = index + 1;
    const remainingSeconds = ((performance.now() - startedAt) / 1000 / done) * (groups.length - done);
    line.show({ progress: done / groups.length, remainingSeconds, activity: 'predicting' });
  }
  return parts;
}
