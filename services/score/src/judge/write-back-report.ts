import { score } from '@faultline/contracts';
import type { WriteForm } from '@faultline/media/write-back';
import type { WriteBackReport, WriteOutcome } from '@faultline/report';
import { medianOf } from './raw-rung.ts';

const {
  WRITE_BACK_OUTCOME_SURVIVED,
  WRITE_BACK_OUTCOME_LOST,
  WRITE_BACK_OUTCOME_VANISHED,
  WRITE_BACK_OUTCOME_FORM_ALONE,
} = score.WriteBackOutcome;

const OUTCOMES: Readonly<Record<number, WriteOutcome>> = {
  [WRITE_BACK_OUTCOME_SURVIVED]: 'survived',
  [WRITE_BACK_OUTCOME_LOST]: 'lost',
  [WRITE_BACK_OUTCOME_VANISHED]: 'vanished',
  [WRITE_BACK_OUTCOME_FORM_ALONE]: 'form alone',
};

/**
 * What became of the examples of one victim under one threat model in each form.
 * @param written by clip; clips without a verified example are not in it.
 */
export function writeBackReports(
  forms: readonly WriteForm[],
  written: ReadonlyMap<number, readonly score.WrittenExample[]>,
  clips: number,
): WriteBackReport[] {
  return forms.map(({ name }): WriteBackReport => {
    const byClip = new Map(
      [...written].flatMap(([clip, examples]) => {
        const example = examples.find(({ form }) => form === name);
        return example === undefined ? [] : [[clip, example] as const];
      }),
    );
    const examples = [...byClip.values()];
    const count = (outcome: WriteOutcome) => examples.filter((one) => OUTCOMES[one.outcome] === outcome).length;
    const variables = [...new Set(examples.flatMap((one) => one.variables.map(({ variable }) => variable)))];
    return {
      form: name,
      written: examples.length,
      survived: count('survived'),
      lost: count('lost'),
      vanished: count('vanished'),
      formAlone: count('form alone'),
      medianBitRate: medianOf(examples.flatMap(({ bytes, bitRate }) => (bytes === 0 ? [] : [bitRate]))) ?? null,
      variables: variables.map((variable) => {
        const own = examples.flatMap((one) => one.variables.filter((changed) => changed.variable === variable));
        return {
          variable,
          step: own[0]?.step ?? 0,
          belowStep: own.filter(({ epsilon, step }) => epsilon < step).length,
          medianKept: medianOf(own.map(({ kept }) => kept)) ?? null,
          medianDecibels: medianOf(own.flatMap(({ decibels }) => decibels ?? [])) ?? null,
        };
      }),
      outcomes: Array.from({ length: clips }, (_, clip) => OUTCOMES[byClip.get(clip)?.outcome ?? 0] ?? null),
    };
  });
}
