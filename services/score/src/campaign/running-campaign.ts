import type { ArtefactStore } from '@faultline/artefacts';
import type { InputCache } from '../inputs/input-cache.ts';
import type { Services } from '../peers/services.ts';
import type { PlannedThreatModel } from '../planning/planned-attacks.ts';
import type { PlannedCampaign } from '../planning/specification.ts';
import type { ExampleKeeper } from './example-keeper.ts';
import type { ProgressMeter, ProgressState } from './progress.ts';

/** What a campaign works with. */
export interface CampaignSurroundings {
  readonly services: Services;
  readonly cache: InputCache;
  readonly artefacts: ArtefactStore;
  readonly onProgress: (state: ProgressState) => void;
  readonly signal: AbortSignal;
}

/** Whether the tensors of each clip's best verified point are stored: to be kept, or to be written as media. */
export const storesBest = ({ keepAdversarial, writeForms }: PlannedCampaign): boolean =>
  keepAdversarial || writeForms.length > 0;

/** State that the phases of one running campaign share. */
export interface RunningCampaign extends CampaignSurroundings {
  readonly plan: PlannedCampaign;
  readonly meter: ProgressMeter;
  readonly keeper: ExampleKeeper;
  readonly shown: PlannedThreatModel | undefined;
  /** Clips that every victim gets right when clean. */
  readonly paired: readonly number[];
}
