import { AttackRequestError, type AttackRun, type RungCandidates } from '@faultline/attack-algorithms';
import {
  type attack,
  type common,
  type DenseTensor,
  decodeTensor,
  encodeTensor,
  sliceRows,
  TensorError,
} from '@faultline/contracts';

/** Bytes of tensors in one message of results; the contract's limit of a message is 32 MiB, and names and margins take some. */
const RESULT_BYTES = 24 * 1024 * 1024;

/**
 * A request in the terms of the algorithms; its values are checked there, against the victim.
 * @throws AttackRequestError naming the fields that are missing or cannot be read.
 */
export function attackRun(request: attack.AttackRequest): AttackRun {
  const { threatModel, inputs, targets, modelSha256, clipSha256 } = request;
  if (threatModel === undefined) throw invalid('threat_model', 'is missing; say what the attacker may change and how');
  const tensors = new Map<string, DenseTensor>();
  for (const [index, { name, tensor }] of inputs.entries()) {
    if (tensors.has(name)) throw invalid(`inputs[${index}].name`, `'${name}' is given twice`);
    tensors.set(name, readTensor(`inputs[${index}].tensor`, tensor));
  }
  return { threatModel, modelSha256, inputs: tensors, targets: readTensor('targets', targets), clipSha256 };
}

function readTensor(field: string, tensor: common.Tensor | undefined): DenseTensor {
  if (tensor === undefined) throw invalid(field, 'is missing');
  try {
    return decodeTensor(tensor);
  } catch (error) {
    if (error instanceof TensorError) throw invalid(field, error.message);
    throw error;
  }
}

const invalid = (field: string, description: string) => new AttackRequestError([{ field, description }]);

/** Results of one rung in messages that fit the transport. */
export function* resultMessages({
  rung,
  clips,
  adversarial,
  margins,
}: RungCandidates): Generator<attack.AttackResponse> {
  const bytes = Array.from(adversarial.values(), ({ data }) => data.byteLength).reduce((sum, size) => sum + size, 0);
  const rows = Math.max(1, Math.floor((clips.length * RESULT_BYTES) / Math.max(1, bytes)));
  for (let from = 0; from < clips.length; from += rows) {
    const to = Math.min(clips.length, from + rows);
    const value: attack.RungResult = {
      rung,
      clips: clips.slice(from, to),
      adversarial: Array.from(adversarial, ([name, tensor]) => ({
        name,
        tensor: encodeTensor(sliceRows(tensor, from, to)),
      })),
      margins: margins.slice(from, to),
    };
    yield { kind: { $case: 'result', value } };
  }
}
