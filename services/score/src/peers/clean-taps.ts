import type { attack } from '@faultline/contracts';
import type { AttackedClip } from './attack-batch.ts';
import { cut, predictRows } from './batches.ts';
import type { Services } from './services.ts';
import { batchInputs, type ClipInputs } from './tensor-rows.ts';
import type { VictimUnderTest } from './victim-under-test.ts';

/** The taps of a victim that a threat model attacks, by name. */
export function attackedTaps({ card }: VictimUnderTest, { variables }: attack.ThreatModel): string[] {
  const taps = new Set(card.taps.map(({ name }) => name));
  return variables.flatMap(({ variable }) => (taps.has(variable) ? [variable] : []));
}

/**
 * Clips with the clean values of the taps that a threat model attacks, read by a fresh prediction: budgets and sizes are those of the difference from these very bits, in the attack and in
 * its verification.
 */
export async function withCleanTaps<Clip extends AttackedClip>(
  services: Services,
  victim: VictimUnderTest,
  threatModel: attack.ThreatModel,
  clips: readonly Clip[],
  signal: AbortSignal,
): Promise<readonly Clip[]> {
  const taps = attackedTaps(victim, threatModel);
  if (taps.length === 0) return clips;
  const names = victim.card.inputs.map(({ name }) => name);
  const known: Clip[] = [];
  for (const batch of cut(clips, predictRows(victim))) {
    const inputs = batchInputs(
      batch.map((clip) => clip.inputs),
      names,
    );
    const { tapRows } = await services.predict(victim, { inputs, taps }, batch.length, signal);
    for (const [row, clip] of batch.entries()) {
      const values: ClipInputs = new Map(
        taps.map((name) => {
          const data = tapRows.get(name)?.[row];
          if (data === undefined) throw new RangeError(`tap '${name}' was not read`);
          // A copy: the row is a view of a whole message, which would stay in memory with it.
          return [name, { dims: victim.dims.get(name) ?? [data.length], data: data.slice() }];
        }),
      );
      known.push({ ...clip, taps: values });
    }
  }
  return known;
}
