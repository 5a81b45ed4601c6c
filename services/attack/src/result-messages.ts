import { type ArtefactStore, storeTensor } from '@faultline/artefacts';
import type { RungCandidates } from '@faultline/attack-algorithms';
import { type attack, encodeTensor, sliceRows } from '@faultline/contracts';

/** Bytes of tensors in one message of results; the contract's limit of a message is 32 MiB, and names and margins take some. */
const RESULT_BYTES = 24 * 1024 * 1024;

/** Results of one rung as raw bytes, in messages that fit the transport. */
export function* rawResults(results: RungCandidates): Generator<attack.AttackResponse> {
  const { clips, adversarial } = results;
  const bytes = Array.from(adversarial.values(), ({ data }) => data.byteLength).reduce((sum, size) => sum + size, 0);
  const rows = Math.max(1, Math.floor((clips.length * RESULT_BYTES) / Math.max(1, bytes)));
  for (let from = 0; from < clips.length; from += rows) {
    const to = Math.min(clips.length, from + rows);
    const tensors = Array.from(adversarial, ([name, tensor]) => ({
      name,
      tensor: encodeTensor(sliceRows(tensor, from, to)),
    }));
    yield message(results, from, to, tensors);
  }
}

/** Results of one rung as references, a message for each clip, so that each clip's tensors are artefacts of their own. */
export async function* referencedResults(
  results: RungCandidates,
  store: ArtefactStore,
): AsyncGenerator<attack.AttackResponse> {
  for (const row of results.clips.keys()) {
    const tensors: attack.RungResult['adversarial'] = [];
    for (const [name, tensor] of results.adversarial) {
      tensors.push({ name, tensor: await storeTensor(store, sliceRows(tensor, row, row + 1)) });
    }
    yield message(results, row, row + 1, tensors);
  }
}

/** What a message takes beside the elements of its tensors: names, dimensions, digests, for each of its rows. */
const OVERHEAD_BYTES = 256;

/** About the bytes of a message. */
export function messageBytes({ kind }: attack.AttackResponse): number {
  if (kind?.$case !== 'result') return OVERHEAD_BYTES;
  const { clips, adversarial } = kind.value;
  const raw = adversarial.map(({ tensor }) => (tensor?.value?.$case === 'raw' ? tensor.value.value.byteLength : 0));
  return raw.reduce((sum, bytes) => sum + bytes, OVERHEAD_BYTES * Math.max(1, clips.length));
}

function message(
  { rung, clips, margins }: RungCandidates,
  from: number,
  to: number,
  adversarial: attack.RungResult['adversarial'],
): attack.AttackResponse {
  const value = { rung, clips: clips.slice(from, to), adversarial, margins: margins.slice(from, to) };
  return { kind: { $case: 'result', value } };
}
