import { buildSet, PART_SIZES } from '@faultline/dataset';
import { RUNS_DIR } from './kept-run.ts';

const FOLDER = `${RUNS_DIR}/measuring-set`;
/** Seed of the sets that are built unless another is given, so that figures are those of the same clips. */
const SET_SEED = 1;
const WORKERS = 2;

/** The validation and test clips that the set builder makes of a pack, in a folder of their own; made once. */
export async function measuringSetOf(packDir: string): Promise<string> {
  await buildSet({
    packDir,
    out: FOLDER,
    name: 'measuring-set',
    sizes: { ...PART_SIZES, train: 0 },
    seed: SET_SEED,
    media: 0,
    workers: WORKERS,
    onProgress: () => {},
  });
  return FOLDER;
}
