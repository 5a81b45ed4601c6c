import { type ArtefactStore, storeTensor } from '@faultline/artefacts';
import type { RungCandidates, SearchResult } from '@faultline/attack-algorithms';
import { type attack, encodeTensor, sliceRows } from '@faultline/contracts';

/** Bytes of tensors in one message of results; the contract's limit of a message is 32 MiB, and names and margins take some. */
const RESULT_BYTES = 24 * 1024 * 1024;

/** Candidates of one rung, or of a search. */
export type Candidates = RungCandidates | SearchResult;

/** Candidates as raw bytes, in messages that fit the transport. */
export function* rawResults(results: Candidates): Generator<attack.AttackResponse> {
  const { clips, adversarial } = results;
  const bytes = Array.from(adversarial.values(), ({ data }) => data.byteLength).reduce((sum, size) => sum + size, 0);
  const rows = Math.max(1, Math.floor((clips.length * RESULT_BYTES) / Math.max(1, bytes)));
  if (clips.length === 0) yield message(results, 0, 0, []);
  for (let from = 0; from < clips.length; from += rows) {
    const to = Math.min(clips.length, from + rows);
    const tensors = Array.from(adversarial, ([name, tensor]) => ({
      name,
      tensor: encodeTensor(sliceRows(tensor, from, to)),
    }));
    yield message(results, from, to, tensors);
  }
}

/** Candidates as references, a message for each clip, so that each clip's tensors are artefacts of their own. */
export async function* referencedResults(
  results: Candidates,
  store: ArtefactStore,
): AsyncGenerator<attack.AttackResponse> {
  if (results.clips.length === 0) yield message(results, 0, 0, []);
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

/** What one example of evidence takes: its path, mostly. */
const EVIDENCE_BYTES = 512;

/** About the bytes of a message. */
export function messageBytes({ kind }: attack.AttackResponse): number {
  if (kind?.$case === 'evidence') return OVERHEAD_BYTES + EVIDENCE_BYTES * kind.value.examples.length;
  if (kind?.$case === 'universal') return OVERHEAD_BYTES + rawBytes(kind.value.perturbations);
  if (kind?.$case !== 'result' && kind?.$case !== 'search') return OVERHEAD_BYTES;
  const { clips, adversarial } = kind.value;
  return OVERHEAD_BYTES * Math.max(1, clips.length) + rawBytes(adversarial);
}

function rawBytes(tensors: attack.RungResult['adversarial']): number {
  const raw = tensors.map(({ tensor }) => (tensor?.value?.$case === 'raw' ? tensor.value.value.byteLength : 0));
  return raw.reduce((sum, bytes) => sum + bytes, 0);
}

/** One piece: rows from .. to - 1; the intervals of a search come with its first. */
function message(
  results: Candidates,
  from: number,
  to: number,
  adversarial: attack.RungResult['adversarial'],
): attack.AttackResponse {
  const rows = { clips: results.clips.slice(from, to), adversarial, margins: results.margins.slice(from, to) };
  if ('rung' in results) return { kind: { $case: 'result', value: { ...rows, rung: results.rung } } };
  const intervals = from === 0 ? [...results.intervals] : [];
  return { kind: { $case: 'search', value: { ...rows, intervals, scales: results.scales.slice(from, to) } } };
}
