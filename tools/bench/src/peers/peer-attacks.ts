import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ReferenceSpec } from '@faultline/fusion';
import { decodeModel, float32, OnnxError, type Tensor } from '@faultline/onnx';
import type { Case } from './case.ts';
import type { Taken } from './our-attacks.ts';
import { PeerProcess } from './peer-process.ts';
import { elements, type Problem, sizeOf } from './problem.ts';

/** Our attacks aim this many tolerances below the thresholds; so do the libraries. */
const DISTANCE_IN_TOLERANCES = 2;

/** Starts the libraries on a twin of an exported victim, with its clips. */
export async function startPeers(
  python: string,
  threads: number,
  given: Case,
  { folder, spec }: { readonly folder: string; readonly spec: ReferenceSpec },
): Promise<PeerProcess> {
  const inputs = Array.from(given.clips.inputs, ([name, tensor]): [string, Tensor] => [
    name,
    float32(elements(tensor), tensor.dims),
  ]);
  const arrays = new Map<string, Tensor>([
    ...(await weightsOf(folder)),
    ...inputs,
    ['targets', float32(given.targets.data, given.targets.dims)],
    ['thresholds', float32(given.thresholds)],
    ['distance', float32([DISTANCE_IN_TOLERANCES * given.tolerance])],
  ]);
  return await PeerProcess.start(python, 'attacks.py', threads, { arrays, settings: { spec } });
}

/** Named initializers of the exported graph; the nameless pointwise weight is that of what lies beside the pictures. */
async function weightsOf(folder: string): Promise<[string, Tensor][]> {
  const { graph } = decodeModel(await readFile(path.join(folder, 'model.onnx')));
  return [...graph.initializers].flatMap(([name, tensor]): [string, Tensor][] => {
    if (/\.(weight|bias)$|^fusion\./.test(name)) return [[`weights/${name}`, tensor]];
    return tensor.dims.length === 4 ? [['weights/joint.0.beside', tensor]] : [];
  });
}

/** The largest difference of the twin's logits from the victim's on the clips, over the largest logit. */
export async function logitDifference(peers: PeerProcess, given: Case): Promise<number> {
  const { file } = (await peers.ask({ do: 'logits' })) as { readonly file: string };
  const theirs = await peers.take(file);
  const { logits } = await given.victim.predict(given.clips.inputs);
  if (!(theirs.data instanceof Float32Array) || theirs.data.length !== logits.data.length) {
    throw new OnnxError(`the twin gives ${theirs.data.length} logits, the victim ${logits.data.length}`);
  }
  const found = theirs.data;
  const differences = Array.from(logits.data, (logit, at) => Math.abs(logit - (found[at] ?? Number.NaN)));
  return Math.max(...differences) / Math.max(...Array.from(logits.data, Math.abs));
}

/** How a library is asked. */
export interface PeerAttack {
  readonly name: string;
  readonly steps: number;
  /** In units of the ranges; none for attacks of minimum norm. */
  readonly epsilon?: number;
}

interface Answer extends Taken {
  readonly files: Readonly<Record<string, string>>;
}

async function ask(
  peers: PeerProcess,
  { norm, variables }: Problem,
  { name, steps, epsilon }: PeerAttack,
): Promise<Answer> {
  return (await peers.ask({ do: 'attack', name, variables, norm, epsilon: epsilon ?? null, steps })) as Answer;
}

/** The size of each clip's perturbation, infinite where a fresh prediction does not confirm it. */
export async function peerSizes(
  peers: PeerProcess,
  given: Case,
  problem: Problem,
  attack: PeerAttack,
): Promise<number[]> {
  const { files } = await ask(peers, problem, attack);
  const changed = new Map<string, { dims: number[]; data: Float32Array }>();
  for (const [name, file] of Object.entries(files)) {
    const { data, dims } = await peers.take(file);
    if (data instanceof Float32Array) changed.set(name, { dims: [...dims], data });
  }
  const sizes: number[] = [];
  for (let clip = 0; clip < given.size; clip++) {
    const point = given.point(clip, changed, clip);
    const isOff = await given.isOff(clip, point);
    sizes.push(isOff ? sizeOf(problem, given.clean(clip), point) : Number.POSITIVE_INFINITY);
  }
  return sizes;
}

/** What the library's call takes. */
export const peerTime = (peers: PeerProcess, problem: Problem, attack: PeerAttack): Promise<Taken> =>
  ask(peers, problem, attack);
