import { type attack, score } from '@faultline/contracts';
import { LOSSLESS, type WriteForm } from '@faultline/media/write-back';
import type { CostReport } from '@faultline/report';
import { FaultlineError } from '@faultline/service-kit';
import { clipInputs } from '../inputs/clip-inputs.ts';
import { goalMargin } from '../judge/goal.ts';
import type { Candidate } from '../judge/inspect.ts';
import type { AttackedClip } from '../peers/attack-batch.ts';
import { addCosts, NO_COST, predictClips } from '../peers/predict-clips.ts';
import type { Services } from '../peers/services.ts';
import type { ClipInputs } from '../peers/tensor-rows.ts';
import { isReached, type VictimUnderTest } from '../peers/victim-under-test.ts';
import { clipLevels, exampleLevels, type InputLevels, keptShare } from './levels.ts';
import { writtenVariables } from './written-variables.ts';

const {
  WRITE_BACK_OUTCOME_SURVIVED,
  WRITE_BACK_OUTCOME_LOST,
  WRITE_BACK_OUTCOME_VANISHED,
  WRITE_BACK_OUTCOME_FORM_ALONE,
} = score.WriteBackOutcome;

/** What examples are written for. */
export interface WriteBack {
  readonly forms: readonly WriteForm[];
  /** Keep the last file of each form. */
  readonly keepMedia: boolean;
}

/** What writing back works with. */
export interface WriteBackSetting {
  readonly services: Services;
  readonly victim: VictimUnderTest;
  readonly threatModel: attack.ThreatModel;
  readonly writeBack: WriteBack;
  readonly signal: AbortSignal;
}

/** A candidate with the scale at which it counts. */
export interface ScaledCandidate {
  readonly scale: number;
  readonly candidate: Candidate;
}

export interface WrittenExamples {
  readonly written: readonly score.WrittenExample[];
  readonly cost: CostReport;
}

/**
 * Writes the examples of one clip that reached the goal as media files and scores the files: the real way through the features service, and a fresh
 * prediction of the unchanged victim. In each form the smallest scale comes first, and the first that survives is the last.
 * @param reached candidates that a fresh prediction confirmed.
 * @throws FaultlineError internal when a lossless file does not give back what was written.
 */
export async function writeBackClip(
  setting: WriteBackSetting,
  clip: AttackedClip,
  reached: readonly ScaledCandidate[],
): Promise<WrittenExamples> {
  const { writeBack, threatModel, victim } = setting;
  const examples = reached
    .toSorted((a, b) => a.scale - b.scale)
    .map(({ scale, candidate }) => ({
      scale,
      levels: exampleLevels(victim, threatModel, scale, clip.inputs, candidate),
    }));
  const written: score.WrittenExample[] = [];
  let cost = NO_COST;
  for (const form of examples.length === 0 ? [] : writeBack.forms) {
    const inForm = new FormRun(setting, form, clip);
    written.push(...(await inForm.run(examples)));
    cost = addCosts(cost, inForm.cost);
  }
  return { written, cost };
}

interface Example {
  readonly scale: number;
  readonly levels: readonly InputLevels[];
}

/** A file as the victim has seen it. */
interface Read {
  readonly bytes: Uint8Array;
  readonly container: string;
  readonly inputs: ClipInputs;
  readonly margin: number;
}

/** The examples of one clip in one form. */
class FormRun {
  readonly #setting: WriteBackSetting;
  readonly #form: WriteForm;
  readonly #clip: AttackedClip;
  cost: CostReport = NO_COST;

  constructor(setting: WriteBackSetting, form: WriteForm, clip: AttackedClip) {
    this.#setting = setting;
    this.#form = form;
    this.#clip = clip;
  }

  async run(examples: readonly Example[]): Promise<score.WrittenExample[]> {
    const { victim, writeBack } = this.#setting;
    const written: score.WrittenExample[] = [];
    let clean: Read | undefined;
    let media: Uint8Array = new Uint8Array(0);
    for (const example of examples) {
      // The clean levels of every example are the same.
      clean ??= await this.#read(example.levels, 'clean');
      const one = await this.#written(example, clean);
      written.push(one.example);
      media = one.file?.bytes ?? media;
      const isLast = one.example.outcome === WRITE_BACK_OUTCOME_SURVIVED || isReached(victim, clean.margin);
      if (isLast) break;
    }
    const last = written.findLast(({ bytes }) => bytes > 0);
    if (last !== undefined && writeBack.keepMedia) last.media = Buffer.from(media);
    return written;
  }

  async #written({ scale, levels }: Example, clean: Read) {
    const { threatModel, victim } = this.#setting;
    const hasVanished = levels.every((one) => keptShare(one) === 0);
    const file = hasVanished ? undefined : await this.#read(levels, 'adversarial');
    const example = score.WrittenExample.fromPartial({
      form: this.#form.name,
      scale,
      outcome: outcomeOf(victim, clean, file),
      cleanMargin: clean.margin,
      variables: writtenVariables(threatModel, scale, levels, clean.inputs, file?.inputs),
      ...(file === undefined
        ? {}
        : {
            margin: file.margin,
            bytes: file.bytes.length,
            bitRate: (8 * file.bytes.length) / secondsOf(victim),
            container: file.container,
          }),
    });
    return { example, file };
  }

  /** Writes one of the clips, and has the file read and predicted. */
  async #read(levels: readonly InputLevels[], which: 'clean' | 'adversarial'): Promise<Read> {
    const { services, victim, threatModel, signal } = this.#setting;
    // Loaded when it is needed: it brings FFmpeg.
    const { encodeLevels } = await import('@faultline/media');
    const { bytes, container } = await encodeLevels(clipLevels(levels, which), this.#form);
    const media = { title: `the ${which} clip as '${this.#form.name}'`, sha256: '', read: async () => bytes };
    const inputs = await clipInputs(services, UNCACHED, media, victim.card.inputs, signal).catch((thrown: unknown) => {
      const error = FaultlineError.from(thrown);
      if (error.code !== 'invalid_argument') throw error;
      throw new FaultlineError('internal', `${media.title} cannot be read back: ${error.message}`, { cause: error });
    });
    if (this.#form.name === LOSSLESS) requireSame(levels, which, inputs);
    const { logits, cost } = await predictClips(services, victim, [inputs], signal);
    this.cost = addCosts(this.cost, cost);
    const margin = goalMargin(victim, threatModel.goal, logits[0] ?? new Float32Array(0), this.#clip.labels);
    return { bytes, container, inputs, margin };
  }
}

/** Files that are read once. */
const UNCACHED = { get: () => undefined, set: () => {} };

function outcomeOf(victim: VictimUnderTest, clean: Read, file: Read | undefined): score.WriteBackOutcome {
  if (isReached(victim, clean.margin)) return WRITE_BACK_OUTCOME_FORM_ALONE;
  if (file === undefined) return WRITE_BACK_OUTCOME_VANISHED;
  return isReached(victim, file.margin) ? WRITE_BACK_OUTCOME_SURVIVED : WRITE_BACK_OUTCOME_LOST;
}

function requireSame(levels: readonly InputLevels[], which: 'clean' | 'adversarial', inputs: ClipInputs): void {
  for (const { input, grid, levels: pair } of levels) {
    const data = inputs.get(input.name)?.data;
    const unit = data instanceof Uint8Array ? 1 : grid.steps;
    const wrong = pair[which].findIndex((level, index) => data?.[index] !== level / unit);
    if (wrong < 0) continue;
    const got = data?.[wrong] ?? 'nothing';
    const wanted = (pair[which][wrong] ?? Number.NaN) / unit;
    throw new FaultlineError(
      'internal',
      `a lossless file gives ${got} in place of ${wanted} at ${input.name}[${wrong}]`,
    );
  }
}

/** How long a file of this victim's inputs is. */
function secondsOf({ card }: VictimUnderTest): number {
  const durations = card.inputs.map(({ kind }) => {
    if (kind?.$case === 'waveform') return kind.value.samples / kind.value.sampleRateHz;
    return kind === undefined ? 0 : kind.value.frames / kind.value.frameRateHz;
  });
  return Math.max(...durations);
}
