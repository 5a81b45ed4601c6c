import { score, type victim } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import { CALLER } from '../campaign/caller.ts';
import { clipWords, type FieldWords, inTermsOf, optionWords } from '../clips/request-errors.ts';
import { UsageError } from '../exit-code.ts';
import { ProgressLine } from '../output/progress-line.ts';
import type { Session } from '../session.ts';
import { type AskedThreatModel, type AttackOptions, optionOf, threatModelOf } from '../threat-model/attack-options.ts';
import { attackableVictims } from '../threat-model/attackable-victims.ts';
import { threatModelMessage, threatModelSchema } from '../threat-model/threat-model.ts';
import { type ClipScoreJson, clipScoreJson } from './clip-scores.ts';
import { fileStems, saveExample, savePerturbations } from './save-examples.ts';
import { type UniversalScoreJson, universalScoreJson } from './universal-scores.ts';
import { saveMedia } from './written-examples.ts';

/** What to do to the clips, beside the threat model. */
export interface ScoreOptions extends AttackOptions {
  /** Names of victims; empty: all. */
  readonly victims: readonly string[];
  readonly seed: number;
  /** Folder for adversarial examples, which exists; undefined: they are not fetched. */
  readonly save: string | undefined;
  /** Folder for media files, which exists; undefined: they are not fetched. */
  readonly write: string | undefined;
  /** Milliseconds; undefined: as long as it takes. */
  readonly deadlineMs: number | undefined;
}

/** A score, and the files in the folder for adversarial examples that belong to it. */
export type SavedScore = ClipScoreJson & { readonly files: readonly string[]; readonly media: readonly string[] };

/** One perturbation for all clips, and the files that hold it. */
export type SavedUniversal = UniversalScoreJson & { readonly files: readonly string[] };

export interface ScoredClips {
  readonly threatModel: AskedThreatModel;
  /** By clip, in the order of the request, then by victim. */
  readonly scores: readonly SavedScore[];
  /** By victim; of an attack that crafts one perturbation for all clips, in the place of scores. */
  readonly universals: readonly SavedUniversal[];
  readonly summary: score.ScoreSummary;
}

/**
 * Asks the score service for the robustness of a few clips, with a progress line meanwhile.
 * @throws UsageError for what the service refuses, in the words of the command line; FaultlineError
 */
export async function scoreClips(
  session: Session,
  clips: readonly score.ClipSource[],
  options: ScoreOptions,
): Promise<ScoredClips> {
  const known = await cardsOf(session, options.victims);
  const cards = options.victims.length > 0 ? known : attackableVictims(known, options.variable, options.surrogate);
  const threatModel = threatModelOf(options, [...cards.values()]);
  const { ADVERSARIAL_RETURN_TENSORS, ADVERSARIAL_RETURN_UNSPECIFIED } = score.AdversarialReturn;
  const request: score.ScoreRequest = {
    context: CALLER,
    victims: [...cards.keys()],
    set: '',
    clips: [...clips],
    threatModels: [threatModelMessage(threatModelSchema.parse(threatModel), options.seed)],
    seed: options.seed,
    adversarial: options.save === undefined ? ADVERSARIAL_RETURN_UNSPECIFIED : ADVERSARIAL_RETURN_TENSORS,
    writeBack: [...options.codec],
    writtenMedia: options.write !== undefined,
  };
  const { scores, universals, summary } = await inTermsOf(wordsFor(clips), () =>
    collectScores(session, request, options, cards),
  );
  const order = new Map(clips.map(({ name }, index) => [name, index]));
  const place = ({ clip }: SavedScore) => order.get(clip) ?? clips.length;
  return { threatModel, scores: scores.sort((a, b) => place(a) - place(b)), universals, summary };
}

async function collectScores(
  { score, signal }: Session,
  request: score.ScoreRequest,
  { save, write, deadlineMs }: ScoreOptions,
  cards: ReadonlyMap<string, victim.Card>,
): Promise<Pick<ScoredClips, 'universals' | 'summary'> & { readonly scores: SavedScore[] }> {
  const stems = fileStems(request.clips.map(({ name }) => name));
  const scores: SavedScore[] = [];
  const universals: SavedUniversal[] = [];
  using line = new ProgressLine();
  for await (const { kind } of score.score(request, { signal, ...(deadlineMs === undefined ? {} : { deadlineMs }) })) {
    if (kind?.$case === 'progress') line.show(kind.value);
    if (kind?.$case === 'summary') return { scores, universals, summary: kind.value };
    if (kind?.$case === 'universal') universals.push(await savedUniversal(kind.value, save, cards));
    if (kind?.$case !== 'score') continue;
    const { clip, victim } = kind.value;
    const inputs = cards.get(victim)?.inputs ?? [];
    const files = save === undefined ? [] : await saveExample(save, stems.get(clip) ?? clip, kind.value, inputs);
    const media = write === undefined ? [] : await saveMedia(write, stems.get(clip) ?? clip, kind.value);
    scores.push({ ...clipScoreJson(kind.value), files, media });
  }
  throw new FaultlineError('internal', 'the score service ended without a summary');
}

async function savedUniversal(
  found: score.UniversalScore,
  save: string | undefined,
  cards: ReadonlyMap<string, victim.Card>,
): Promise<SavedUniversal> {
  const inputs = cards.get(found.victim)?.inputs ?? [];
  const files = save === undefined ? [] : await savePerturbations(save, found, inputs);
  return { ...universalScoreJson(found), files };
}

/** Fields of the request as options of the command line. */
const wordsFor = (clips: readonly score.ClipSource[]): FieldWords[] => [
  ...clipWords(clips),
  optionWords(/^victims/, () => '--victim'),
  optionWords(/^seed/, () => '--seed'),
  optionWords(/^write_?back/i, () => '--codec'),
  // "threatModels[0].rungs[2].scale"
  optionWords(/^threat_?models/i, (field) => optionOf(/\.(\w+)/.exec(field)?.[1] ?? field)),
];

/**
 * Cards of the victims that are asked for, or of all.
 * @throws UsageError for an unknown name; FaultlineError when one of them cannot be used.
 */
async function cardsOf({ score, signal }: Session, names: readonly string[]): Promise<Map<string, victim.Card>> {
  const { victims } = await score.listVictims({ context: CALLER }, { signal });
  const unknown = names.find((name) => !victims.some((status) => status.name === name));
  if (unknown !== undefined) {
    throw new UsageError(`there is no victim ${unknown}; there are: ${victims.map(({ name }) => name).join(', ')}`);
  }
  const wanted = names.length === 0 ? victims : victims.filter(({ name }) => names.includes(name));
  return new Map(
    wanted.map(({ name, card, reason }) => {
      if (card === undefined) throw new FaultlineError('unavailable', `victim ${name} cannot be used: ${reason}`);
      return [name, card];
    }),
  );
}
