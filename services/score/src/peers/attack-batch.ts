import { attack, encodeTensor } from '@faultline/contracts';
import type { CostReport } from '@faultline/report';
import { FaultlineError } from '@faultline/service-kit';
import type { Candidate } from '../judge/inspect.ts';
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
}

export interface AttackOutcome {
  /** Ordered by rung, then clip. */
  readonly candidates: readonly Candidate[];
  readonly cost: CostReport;
}

/** What is heard of an attack while it runs. */
export interface AttackListener {
  /** Share of the batch's steps that are done, in [0, 1]. */
  readonly onProgress: (share: number) => void;
  /** Candidates as they come, so that they are not lost with an attack that is stopped. */
  readonly onCandidates?: (candidates: readonly Candidate[]) => void;
}

function candidatesOf(
  result: attack.RungResult,
  batch: readonly AttackedClip[],
  model: attack.ThreatModel,
): Candidate[] {
  if (model.rungs[result.rung] === undefined) {
    throw new FaultlineError('internal', `attack service: the threat model has no rung ${result.rung}`);
  }
  const rows = new Map(
    model.variables.map(({ variable }) => {
      const named = result.adversarial.find((one) => one.name === variable);
      return [variable, float32Rows(named?.tensor, result.clips.length, `attack service: adversarial '${variable}'`)];
    }),
  );
  return result.clips.map((position, row) => {
    const clip = batch[position];
    if (clip === undefined) throw new FaultlineError('internal', `attack service: the batch has no clip ${position}`);
    const adversarial = new Map(
      rows.entries().map(([variable, points]) => [variable, points[row] ?? new Float32Array(0)] as const),
    );
    return { rung: result.rung, clip: clip.index, adversarial, believedMargin: result.margins[row] ?? Number.NaN };
  });
}

/** Attacks one batch of clips over the whole ladder. */
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
    delivery: attack.TensorDelivery.TENSOR_DELIVERY_RAW,
  };
  const candidates: Candidate[] = [];
  let cost = NO_COST;
  for await (const { kind } of services.attack(request, signal)) {
    switch (kind?.$case) {
      case 'progress':
        listener.onProgress(
          kind.value.stepsPlanned > 0 ? Math.min(1, kind.value.stepsDone / kind.value.stepsPlanned) : 1,
        );
        break;
      case 'result':
        {
          const received = candidatesOf(kind.value, batch, threatModel);
          candidates.push(...received);
          listener.onCandidates?.(received);
        }
        break;
      case 'cost':
        cost = kind.value;
        break;
    }
  }
  candidates.sort((a, b) => a.rung - b.rung || a.clip - b.clip);
  const twice = candidates.findIndex((one, index) => {
    const previous = candidates[index - 1];
    return previous?.rung === one.rung && previous.clip === one.clip;
  });
  if (twice >= 0) throw new FaultlineError('internal', 'attack service: a rung returned two candidates for one clip');
  return { candidates, cost };
}
