import type { Dimension } from '@faultline/onnx';
import type { OrtTensor } from '@faultline/ort';
import type { LoopBatch } from '@faultline/victim';
import type { Evaluator } from './evaluator.ts';
import { fromOrt, Resident, toOrt, zeros } from './resident.ts';
import { gatherRows, isIdentity, toFloatRows } from './rows.ts';
import { type EvaluationSetting, variableDims } from './setting.ts';

/** What decides the tensors that a loop keeps. */
export interface ResidentLayout {
  readonly setting: EvaluationSetting;
  readonly evaluator: Evaluator;
  /** Slots that any program of the loop reads. */
  readonly reads: ReadonlySet<string>;
  /** Axis sizes of each state by name; the first is 1 where it is shared. */
  readonly states: ReadonlyMap<string, readonly Dimension[]>;
}

/** Lays a batch out in memory and computes what never changes in it: points at their clean values, states at zeros. */
export async function layOut(
  { setting, evaluator, reads, states }: ResidentLayout,
  batch: LoopBatch,
): Promise<Resident> {
  const resident = new Resident();
  const examples = batch.exampleClips.length;
  const byExample = (value: OrtTensor, rows: number): OrtTensor => {
    const clips = (value.dims[0] ?? 0) / rows;
    if (isIdentity(batch.exampleClips, clips)) return value;
    return toOrt(gatherRows(fromOrt(value), batch.exampleClips, rows));
  };
  const byClip = new Map<string, OrtTensor>();
  for (const [name, tensor] of batch.inputs) byClip.set(`x0/${name}`, toOrt(toFloatRows(name, tensor)));
  for (const { name, value, rows } of await evaluator.prepare(byClip)) resident.set(name, byExample(value, rows), rows);

  const attacked = new Set(setting.variables.map(({ name }) => name));
  for (const [slot, value] of byClip) {
    if (reads.has(slot) || attacked.has(slot.slice('x0/'.length))) resident.set(slot, byExample(value, 1));
  }
  for (const { name, scope } of setting.variables) {
    const clean = resident.get(`x0/${name}`);
    // The clean point and the starting point may share memory: sessions never write to their inputs.
    if (scope === 'example' && clean !== undefined) resident.set(`x/${name}`, clean);
    else resident.set(`x/${name}`, zeros([1, ...variableDims(setting, name)]), 0);
  }
  resident.set('targets', toOrt(batch.targets));
  for (const [name, tensor] of batch.data ?? [])
    resident.set(`data/${name}`, toOrt(toFloatRows(`data/${name}`, tensor)));
  for (const [name, [first, ...rest]] of states) {
    const dims = rest.filter((size) => typeof size === 'number');
    if (first === 1) resident.set(`state/${name}`, zeros([1, ...dims]), 0);
    else resident.set(`state/${name}`, zeros([examples, ...dims]));
  }
  return resident;
}
