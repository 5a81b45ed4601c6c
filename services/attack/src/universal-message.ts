import { type ArtefactStore, storeTensor } from '@faultline/artefacts';
import type { UniversalResult } from '@faultline/attack-algorithms';
import { attack, encodeTensor } from '@faultline/contracts';

/** A universal perturbation as a message: raw, or (where asked for) as references to the store. */
export async function universalMessage(
  { rung, perturbations, norms, reachedByPass }: UniversalResult,
  delivery: attack.TensorDelivery,
  store: ArtefactStore | undefined,
): Promise<attack.AttackResponse> {
  const refers = delivery === attack.TensorDelivery.TENSOR_DELIVERY_REFERENCE && store !== undefined;
  const tensors: attack.UniversalResult['perturbations'] = [];
  for (const [name, tensor] of perturbations) {
    tensors.push({ name, tensor: refers ? await storeTensor(store, tensor) : encodeTensor(tensor) });
  }
  const value = { rung, perturbations: tensors, norms: [...norms.values()], reachedByPass: [...reachedByPass] };
  return { kind: { $case: 'universal', value } };
}
