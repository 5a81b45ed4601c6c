import { ArtefactError, type ArtefactStore, loadTensor } from '@faultline/artefacts';
import { AttackRequestError, type AttackRun } from '@faultline/attack-algorithms';
import { type attack, type common, type DenseTensor, decodeTensor, TensorError } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';

/** Tensors that one request may refer to, as the contract states it. */
const MAX_REFERENCED_BYTES = 256 * 1024 * 1024;

/** Longest caller and idempotency key, as the contract states it. */
const MAX_CONTEXT_CHARACTERS = 128;

/**
 * A request in the terms of the algorithms; its values are checked there, against the victim.
 * @throws AttackRequestError naming the fields that are missing or cannot be read; FaultlineError failed_precondition for a reference
 * to what the store does not hold.
 */
export async function attackRun(request: attack.AttackRequest, store: ArtefactStore | undefined): Promise<AttackRun> {
  const { threatModel, inputs, tapValues, targets, modelSha256, clipSha256 } = request;
  checkContext(request.context);
  if (threatModel === undefined) throw invalid('threat_model', 'is missing; say what the attacker may change and how');
  checkReferencedBytes([...[...inputs, ...tapValues].map(({ tensor }) => tensor), targets]);
  return {
    threatModel,
    modelSha256,
    inputs: await readNamed('inputs', inputs, store),
    taps: await readNamed('tap_values', tapValues, store),
    targets: await readTensor('targets', targets, store),
    clipSha256,
  };
}

async function readNamed(
  field: string,
  named: readonly common.NamedTensor[],
  store: ArtefactStore | undefined,
): Promise<Map<string, DenseTensor>> {
  const tensors = new Map<string, DenseTensor>();
  for (const [index, { name, tensor }] of named.entries()) {
    if (tensors.has(name)) throw invalid(`${field}[${index}].name`, `'${name}' is given twice`);
    tensors.set(name, await readTensor(`${field}[${index}].tensor`, tensor, store));
  }
  return tensors;
}

function checkContext(context: common.RequestContext | undefined): void {
  const values = { caller: context?.caller ?? '', idempotency_key: context?.idempotencyKey ?? '' };
  for (const [name, { length }] of Object.entries(values)) {
    if (length > MAX_CONTEXT_CHARACTERS) {
      throw invalid(`context.${name}`, `has ${length} characters; give at most ${MAX_CONTEXT_CHARACTERS}`);
    }
  }
}

function checkReferencedBytes(tensors: readonly (common.Tensor | undefined)[]): void {
  const sizes = tensors.map((tensor) => (tensor?.value?.$case === 'reference' ? tensor.value.value.sizeBytes : 0));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (bytes <= MAX_REFERENCED_BYTES) return;
  throw invalid(
    'inputs',
    `refer to ${bytes} bytes; send fewer clips at once, for at most ${MAX_REFERENCED_BYTES} bytes`,
  );
}

async function readTensor(
  field: string,
  tensor: common.Tensor | undefined,
  store: ArtefactStore | undefined,
): Promise<DenseTensor> {
  if (tensor === undefined) throw invalid(field, 'is missing');
  if (tensor.value?.$case === 'reference' && store === undefined) {
    const digest = tensor.value.value.sha256;
    throw unmet(field, `refers to artefact ${digest}, but this service has no store; set FAULTLINE_ARTEFACT_DIR`);
  }
  try {
    return await (store === undefined ? decodeTensor(tensor) : loadTensor(store, tensor));
  } catch (error) {
    if (error instanceof TensorError) throw invalid(field, error.message);
    if (!(error instanceof ArtefactError)) throw error;
    throw error.code === 'malformed' ? invalid(field, error.message) : unmet(field, error.message);
  }
}

const invalid = (field: string, description: string) => new AttackRequestError([{ field, description }]);

/** A store that lacks what a request refers to is a matter of order, not of the request. */
const unmet = (field: string, description: string) =>
  new FaultlineError('failed_precondition', `${field}: ${description}`, { violations: [{ field, description }] });
