import { FaultlineError } from '@faultline/service-kit';
import { type ClipSet, ClipSetError, openClipSet } from '../clips/manifest.ts';
import type { Report } from './violations.ts';

/**
 * The clip set of this name; reported, and undefined, when there is none.
 * @throws FaultlineError failed_precondition when its manifest cannot be used.
 */
export async function findClipSet(
  clipsDir: string,
  name: string,
  path: string,
  report: Report,
): Promise<ClipSet | undefined> {
  try {
    const set = await openClipSet(clipsDir, name);
    if (set === undefined) report(path, `'${name}' is not a known clip set`);
    return set;
  } catch (thrown) {
    throw thrown instanceof ClipSetError ? new FaultlineError('failed_precondition', thrown.message) : thrown;
  }
}
