import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { MAX_REQUEST_BYTES, readClips } from '../clips/clip-arguments.ts';
import { UsageError } from '../exit-code.ts';
import { bytes, counted } from '../output/figures.ts';
import { note, printJson, printLines } from '../output/print.ts';
import { scoreTable } from '../output/score-table.ts';
import { universalScoreTable } from '../output/universal-table.ts';
import { writtenTable } from '../output/written-table.ts';
import { makeSaveFolder } from '../scores/save-examples.ts';
import { scoreClips } from '../scores/score-clips.ts';
import { scoreDocument } from '../scores/score-document.ts';
import { victimNames } from '../stack/victim-folders.ts';
import { type AttackOptions, rhosOf } from '../threat-model/attack-options.ts';
import { startedVictims } from '../threat-model/started-victims.ts';
import { DEFAULT_STEPS, NORM_NAMES } from '../threat-model/threat-model.ts';
import type { CommandDefinition } from './command-definition.ts';
import { type CommandOptions, inSession } from './in-session.ts';
import {
  addJson,
  addRuns,
  addVictim,
  addVictims,
  collect,
  type FolderOptions,
  foldersOf,
  type JsonOption,
  type VictimOption,
  wholeNumber,
} from './options.ts';

interface ClipAttackOptions extends Omit<AttackOptions, 'codec'>, VictimOption {
  readonly codec?: readonly string[];
  readonly seed: number;
  readonly labels?: readonly string[];
  readonly save?: string;
  readonly write?: string;
  /** Seconds. */
  readonly timeout?: number;
}

/** `faultline attack`: the robustness of a few clips, at once. */
export const attack: CommandDefinition = {
  name: 'attack',
  summary: 'find the smallest noise that makes victims miss what is in clips; for many clips: campaign run',
  examples: [
    'faultline attack zoo/clips/unseen-004.mp4 --victim late',
    'faultline attack unseen-004 seen-001 --norm l2 --variable frames --epsilon 0.1,0.2,0.4,0.8 --save /tmp/examples',
    'faultline attack unseen-004 --variable waveform=0.0008,frames=0.005 --epsilon 0.1,0.3,1 --json',
    'faultline attack unseen-004 --attack fmn --norm l2 --steps 100',
    'faultline attack unseen-004 --victim late --norm l2 --variable audio.log-mel=5% --epsilon 0.5,1,2,4',
    'faultline attack unseen-004 --goal targeted=dog --attack fmn --norm l2',
    'faultline attack seen-001 seen-002 unseen-004 unseen-005 --attack universal --craft stratum=seen --victim late --save /tmp/noise',
    'faultline attack unseen-004 --attack transfer --surrogate early --victim late',
    'faultline attack unseen-004 --victim late --write /tmp/files --codec lossless --codec h264:60k,aac:24k',
  ],
  configure: (command) => {
    addVictim(command)
      .argument('<clips...>', 'media files, or identifiers of clips of the set; at most 64')
      .option('--attack <attack>', 'an attack of `faultline attacks`', 'pgd')
      .addOption(
        new Option('--norm <norm>', 'how the size of a perturbation is measured').choices(NORM_NAMES).default('linf'),
      )
      .option(
        '--variable <input>',
        'input to change, or tap of the card (see victims); several, with their budgets at scale 1: waveform=0.0008,frames=0.005; as a share of the clean value: audio.log-mel=5% (default: the sound)',
        collect,
      )
      .option(
        '--epsilon <budgets>',
        'budgets to try, ascending: 0.1,0.2,0.4; of several variables: scales',
        parseBudgets,
      )
      .option(
        '--search',
        'no ladder: the smallest budget of each clip, up to the largest of --epsilon; attacks of minimum norm always do so',
      )
      .option(
        '--goal <goal>',
        'what the attack wants: deactivate-all, deactivate-one, deactivate-one=LABEL, fabricate-one, fabricate-one=LABEL, top-k=K (1: untargeted), targeted=LABEL (default: every true label off)',
      )
      .option(
        '--craft <split>',
        'of --attack universal: the clips that it is crafted on, stratum=seen or share=0.5 (of their sources; the default); the others test it',
      )
      .option(
        '--surrogate <victim>',
        'of --attack transfer: the victim whose gradients craft, by name or folder; what is crafted is tried on the others',
      )
      .option(
        '--steps <count>',
        'gradient steps a restart; of --attack universal passes over the clips',
        wholeNumber(1),
        DEFAULT_STEPS,
      )
      .option('--restarts <count>', 'restarts', wholeNumber(1), 1)
      .option('--seed <number>', 'seed of all noise', wholeNumber(0), 1)
      .option('--parameter <name=value>', 'a parameter of the attack; several: repeat it', collect)
      .option(
        '--labels <labels>',
        'true labels of all clips (default: the set’s; of files: what each victim predicts)',
        collect,
      )
      .option(
        '--save <folder>',
        'write the adversarial examples (or the universal perturbations) and scores.json there: sound as .wav, frames as .npy',
      )
      .option('--write <folder>', 'write the adversarial examples there as media files, and score the files')
      .option(
        '--codec <form>',
        'form of these files: lossless, or h264:60k,aac:24k, vp9:60k,opus:24k; several: repeat it (default: lossless)',
        (form: string, earlier: readonly string[] = []) => [...earlier, form],
      )
      .option('--timeout <seconds>', 'end in time, with what was found until then', wholeNumber(1));
    addJson(addVictims(addRuns(command))).action(
      (clips: string[], options: FolderOptions & JsonOption & ClipAttackOptions) =>
        attackClips(clips, options, { json: options.json === true, stack: foldersOf(options) }),
    );
  },
};

function parseBudgets(text: string, earlier: readonly number[] = []): number[] {
  const budgets = text.split(',').map(Number);
  if (budgets.some((value) => !(value > 0))) throw new InvalidArgumentError('give numbers above 0: 0.1,0.2,0.4.');
  return [...earlier, ...budgets];
}

async function attackClips(
  names: readonly string[],
  {
    victim = [],
    labels,
    save,
    write,
    codec = write === undefined ? [] : ['lossless'],
    timeout,
    ...options
  }: ClipAttackOptions,
  { json, stack }: CommandOptions,
): Promise<void> {
  const clips = await readClips(names, labels);
  const size = clips.reduce((sum, clip) => sum + clip.size, 0);
  if (size > MAX_REQUEST_BYTES) {
    throw new UsageError(
      `the clips have ${bytes(size)}, a call at most ${bytes(MAX_REQUEST_BYTES)}: attack them in parts`,
    );
  }
  if (save !== undefined) await makeSaveFolder(save);
  if (write !== undefined) await makeSaveFolder(write, '--write');
  const deadlineMs = timeout === undefined ? undefined : timeout * 1000;
  const sources = clips.map(({ source }) => source);
  const asked = await victimNames(victim);
  const craftedOn = options.surrogate === undefined ? [] : [options.surrogate];
  const [surrogate] = await victimNames(craftedOn);
  const only = startedVictims(victim, craftedOn);
  const scored = await inSession({ ...stack, only }, 'attacks', (session) =>
    scoreClips(session, sources, {
      ...options,
      ...(surrogate === undefined ? {} : { surrogate }),
      codec,
      victims: asked,
      save,
      write,
      deadlineMs,
    }),
  );
  const document = scoreDocument(scored, options.seed);
  const { threatModel, scores, universals, summary } = scored;
  if (save !== undefined) await writeFile(join(save, 'scores.json'), `${JSON.stringify(document, undefined, 2)}\n`);
  if (json) printJson(document);
  else if (universals.length > 0) printLines(universalScoreTable(threatModel.name, threatModel.norm, universals));
  else if (scores.length > 0) printLines(scoreTable(scores, rhosOf(threatModel)));
  if (!json && codec.length > 0) printLines(['', ...writtenTable(scores, rhosOf(threatModel))]);
  if (!summary.complete) note(summary.shortfall);
  if (save !== undefined) {
    const files = [...scores, ...universals].reduce((sum, one) => sum + one.files.length, 0);
    note(`${counted(files, 'adversarial tensor')} and scores.json are in ${save}`);
  }
  if (write !== undefined) {
    const files = scores.reduce((sum, one) => sum + one.media.length, 0);
    note(`${counted(files, 'media file')} in ${write}`);
  }
}
