import { attack, encodeTensor } from '@faultline/contracts';
import type { CostReport } from '@faultline/report';
import { FaultlineError } from '@faultline/service-kit';
import type { Candidate } from '../judge/inspect.ts';
import { attackedTaps } from './clean-taps.ts';
import { NO_COST } from './predict-clips.ts';
import type { Services } from './services.ts';
import { batchInputs, type ClipInputs, float32Rows } from './tensor-rows.ts';
import { targetsOf, type VictimUnderTest } from './victim-under-test.ts';

/** A clip as an attack needs it. */
export interface AttackedClip {
  /** Index in the campaign's clips. */
  readonly index: number;
  readonly sha256: string;
  readonly labels: readonly string[];
  readonly inputs: ClipInputs;
  /** Clean values of attacked taps. */
  readonly taps?: ClipInputs;
}

export interface AttackOutcome {
  /** Ordered by rung, then clip. */
  readonly candidates: readonly Candidate[];
  /** Of a search: by clip, the largest scale below its success that was tried without. */
  readonly failedScales: ReadonlyMap<number, number>;
  /** What the loops told; clips are those of the campaign. */
  readonly evidence: readonly attack.ExampleEvidence[];
  readonly cost: CostReport;
}

/** What is heard of an attack while it runs. */
export interface AttackListener {
  /** Share of the batch's steps that are done, in [0, 1]. */
  readonly onProgress: (share: number) => void;
  /** Candidates as they come, so that they are not lost with an attack that is stopped. */
  readonly onCandidates?: (candidates: readonly Candidate[]) => void;
}

/** What a rung's results and a search's have in common. */
type ResultRows = Pick<attack.RungResult, 'clips' | 'adversarial' | 'margins'>;

/** @param rung undefined: found by a search. */
function candidatesOf(
  result: ResultRows,
  rung: number | undefined,
  batch: readonly AttackedClip[],
  model: attack.ThreatModel,
): Candidate[] {
  if (rung === undefined ? model.rungs.length > 0 : model.rungs[rung] === undefined) {
    throw new FaultlineError(
      'internal',
      `attack service: the threat model has no ${rung === undefined ? 'search' : `rung ${rung}`}`,
    );
  }
  // A search that found nothing has intervals alone.
  if (result.clips.length === 0) return [];
  const rows = new Map(
    model.variables.map(({ variable }) => {
      const named = result.adversarial.find((one) => one.name === variable);
      return [variable, float32Rows(named?.tensor, result.clips.length, `attack service: adversarial '${variable}'`)];
    }),
  );
  return result.clips.map((position, row) => {
    const clip = clipAt(batch, position);
    const adversarial = new Map(
      rows.entries().map(([variable, points]) => [variable, points[row] ?? new Float32Array(0)] as const),
    );
    return { rung, clip: clip.index, adversarial, believedMargin: result.margins[row] ?? Number.NaN };
  });
}

function clipAt(batch: readonly AttackedClip[], position: number): AttackedClip {
  const clip = batch[position];
  if (clip === undefined) throw new FaultlineError('internal', `attack service: the batch has no clip ${position}`);
  return clip;
}

/** Attacks one batch of clips over the whole ladder, or searches for the smallest scale of each. */
export async function attackBatch(
  services: Services,
  victim: VictimUnderTest,
  threatModel: attack.ThreatModel,
  batch: readonly AttackedClip[],
  listener: AttackListener,
  signal: AbortSignal,
): Promise<AttackOutcome> {
  const labels = victim.card.labels.length;
  const request = {
    victim: victim.name,
    modelSha256: victim.card.sha256,
    threatModel,
    inputs: batchInputs(
      batch.map((clip) => clip.inputs),
      victim.card.inputs.map((input) => input.name),
    ),
    targets: encodeTensor({
      dims: [batch.length, labels],
      data: targetsOf(
        victim,
        batch.map((clip) => clip.labels),
      ),
    }),
    clipSha256: batch.map((clip) => clip.sha256),
    tapValues: batchInputs(
      batch.map(({ taps }) => taps ?? new Map()),
      attackedTaps(victim, threatModel),
    ),
    delivery: attack.TensorDelivery.TENSOR_DELIVERY_RAW,
  };
  const candidates: Candidate[] = [];
  const failedScales = new Map<number, number>();
  const evidence: attack.ExampleEvidence[] = [];
  let cost = NO_COST;
  const receive = (rows: ResultRows, rung: number | undefined): void => {
    const received = candidatesOf(rows, rung, batch, threatModel);
    candidates.push(...received);
    listener.onCandidates?.(received);
  };
  for await (const { kind } of services.attack(request, signal)) {
    switch (kind?.$case) {
      case 'progress':
        listener.onProgress(
          kind.value.stepsPlanned > 0 ? Math.min(1, kind.value.stepsDone / kind.value.stepsPlanned) : 1,
        );
        break;
      case 'result':
        receive(kind.value, kind.value.rung);
        break;
      case 'search':
        for (const { clip, failedScale } of kind.value.intervals) {
          failedScales.set(clipAt(batch, clip).index, failedScale);
        }
        receive(kind.value, undefined);
        break;
      case 'evidence':
        evidence.push(...kind.value.examples.map((one) => ({ ...one, clip: clipAt(batch, one.clip).index })));
        break;
      case 'cost':
        cost = kind.value;
        break;
    }
  }
  candidates.sort((a, b) => (a.rung ?? 0) - (b.rung ?? 0) || a.clip - b.clip);
  const twice = candidates.findIndex((one, index) => {
    const previous = candidates[index - 1];
    return previous !== undefined && previous.rung === one.rung && previous.clip === one.clip;
  });
  if (twice >= 0) throw new FaultlineError('internal', 'attack service: a rung returned two candidates for one clip');
  return { candidates, failedScales, evidence, cost };
}
