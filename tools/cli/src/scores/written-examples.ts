import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { score } from '@faultline/contracts';

/** What a file holds of the perturbation of one variable. */
export interface WrittenVariableJson {
  readonly variable: string;
  readonly epsilon: number;
  /** One step of the file's grid. */
  readonly step: number;
  /** Share of the changed values that stay changed on the grid. */
  readonly kept: number;
  readonly writtenNorm: number;
  readonly decodedNorm: number | null;
  /** SNR of a waveform, PSNR of frames, of what is left after decoding; null without a difference. */
  readonly decibels: number | null;
  /** The same of what the form does to the clean clip. */
  readonly formDecibels: number | null;
}

/** An adversarial example that was written as a media file and scored again. */
export interface WrittenExampleJson {
  readonly form: string;
  readonly scale: number;
  readonly outcome: 'survived' | 'lost' | 'vanished' | 'form alone';
  readonly margin: number | null;
  readonly cleanMargin: number;
  readonly variables: readonly WrittenVariableJson[];
  readonly bytes: number;
  /** Bits per second of the whole file. */
  readonly bitRate: number;
  /** Ending of the file's name; empty when there is none. */
  readonly container: string;
}

const { WRITE_BACK_OUTCOME_SURVIVED, WRITE_BACK_OUTCOME_LOST, WRITE_BACK_OUTCOME_VANISHED } = score.WriteBackOutcome;

const OUTCOMES = new Map<score.WriteBackOutcome, WrittenExampleJson['outcome']>([
  [WRITE_BACK_OUTCOME_SURVIVED, 'survived'],
  [WRITE_BACK_OUTCOME_LOST, 'lost'],
  [WRITE_BACK_OUTCOME_VANISHED, 'vanished'],
  [score.WriteBackOutcome.WRITE_BACK_OUTCOME_FORM_ALONE, 'form alone'],
]);

export function writtenExampleJson(from: score.WrittenExample): WrittenExampleJson {
  const { form, scale, cleanMargin, bytes, bitRate, container } = from;
  return {
    form,
    scale,
    outcome: OUTCOMES.get(from.outcome) ?? 'lost',
    margin: from.margin ?? null,
    cleanMargin,
    variables: from.variables.map(({ decodedNorm, decibels, formDecibels, ...same }) => ({
      ...same,
      decodedNorm: decodedNorm ?? null,
      decibels: decibels ?? null,
      formDecibels: formDecibels ?? null,
    })),
    bytes,
    bitRate,
    container,
  };
}

/**
 * Writes the media files of a score.
 * @param stem what the files' names begin with.
 * @returns names of the files in the folder.
 */
export async function saveMedia(folder: string, stem: string, { victim, written }: score.ClipScore): Promise<string[]> {
  const files = written.filter(({ media }) => media.length > 0);
  return Promise.all(
    files.map(async ({ form, container, media }) => {
      const file = `${[stem, victim, form].map((part) => part.replaceAll(/[^\w-]+/g, '-')).join('.')}.${container}`;
      await writeFile(join(folder, file), media);
      return file;
    }),
  );
}
