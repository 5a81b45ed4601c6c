import type { ArtefactStore } from '@faultline/artefacts';
import type { AttackedClip } from '../peers/attack-batch.ts';
import { addCosts, NO_COST } from '../peers/predict-clips.ts';
import { withSpan } from '../spans.ts';
import { type WriteBackSetting, type WrittenExamples, writeBackClip } from '../write-back/write-back.ts';
import type { BestTensors } from './best-tensors.ts';

/** The written examples of some clips, by clip. */
export interface WrittenClips extends Pick<WrittenExamples, 'cost'> {
  readonly written: ReadonlyMap<number, WrittenExamples['written']>;
}

/**
 * Writes the best verified example of each clip as media files, reads them back and scores them. Tensors are in memory for one clip at a time.
 * @param best examples, stored.
 */
export async function writeBest(
  setting: WriteBackSetting,
  clips: readonly AttackedClip[],
  best: BestTensors,
  artefacts: ArtefactStore,
): Promise<WrittenClips> {
  const written = new Map<number, WrittenExamples['written']>();
  let cost = NO_COST;
  for (const clip of clips) {
    const example = await best.load(artefacts, clip.index);
    if (example === undefined) continue;
    const attributes = { 'faultline.forms': setting.writeBack.forms.length, 'faultline.candidates': 1 };
    const one = await withSpan('score.write_back', attributes, () => writeBackClip(setting, clip, [example]));
    written.set(clip.index, one.written);
    cost = addCosts(cost, one.cost);
  }
  return { written, cost };
}
