import type { Node } from '@faultline/onnx';
import type { LoopFootprint } from '@faultline/victim';
import { stateShapes } from './loop-states.ts';
import { ProgramError } from './program.ts';
import { listPrograms, type ShapedProgram, type ShapedPrograms } from './program-shape.ts';
import { type EvaluationSetting, variableDims } from './setting.ts';
import { splitSlot } from './slots.ts';
import { allBytes, bytesOf, peakBytes } from './value-bytes.ts';
import { descendants, type VictimGraph } from './victim-graph.ts';

/** Bytes that the values of one program may take at once, where nobody says otherwise. */
export const PROGRAM_BYTES = 2 * 1024 ** 3;

/** A gradient keeps every value of the forward pass, and as much again on its way back. */
const GRADIENT_FACTOR = 2;

const FLOAT_BYTES = 4;

/** Tensors of the size of a point that a loop holds: clean point, point, next point twice (written in turns), gradient. */
const POINTS = 5;
/** And of the size of a state: now, and next twice. */
const STATES = 3;

const floats = (dims: readonly number[]) => dims.reduce((product, size) => product * size, FLOAT_BYTES);

/** Bytes that a program's values take at so many examples. What is differentiated is kept whole. */
export function programBytes(
  { program, graph, types }: ShapedProgram,
  setting: EvaluationSetting,
  examples: number,
): number {
  const differentiated =
    setting.mode === 'differentiate' && (program.role === 'transform' || program.role === 'objective');
  return differentiated ? GRADIENT_FACTOR * allBytes(graph, types, examples) : peakBytes(graph, types, examples);
}

/** @throws ProgramError for a program whose values take more than the limit. */
export function checkProgramBytes(
  programs: ShapedPrograms,
  setting: EvaluationSetting,
  examples: number,
  limit: number,
): void {
  for (const shaped of listPrograms(programs)) {
    const bytes = programBytes(shaped, setting, examples);
    if (!(bytes <= limit)) {
      throw new ProgramError(
        shaped.program.role,
        `needs ${bytes} bytes for ${examples} examples; the limit is ${limit}: use fewer examples, or smaller values`,
      );
    }
  }
}

/** What a loop of this setting and size takes. Depends on shapes alone. */
export function footprintOf(
  victim: VictimGraph,
  setting: EvaluationSetting,
  programs: ShapedPrograms,
  { clips, examples }: { readonly clips: number; readonly examples: number },
): LoopFootprint {
  const { samples, variables } = setting;
  const count = samples?.count ?? 1;
  const shaped = listPrograms(programs);
  let resident = examples * floats([setting.labels]);
  for (const [name, dims] of setting.inputs) {
    resident += clips * floats(dims);
    if (!variables.some((variable) => variable.name === name)) resident += examples * floats(dims);
  }
  for (const { name, scope } of variables) {
    const rows = scope === 'shared' ? 1 : examples;
    const gradients = samples?.gradient === 'each' ? samples.count : 1;
    resident += floats(variableDims(setting, name)) * (examples + rows * (POINTS - 2 + gradients));
  }
  for (const dims of stateShapes(shaped).values()) {
    resident += STATES * floats(dims.map((size) => (typeof size === 'number' ? size : examples)));
  }
  const slots = new Set(shaped.flatMap((program) => program.graph.inputs.map(({ name }) => name)));
  for (const [family, name] of [...slots].map(splitSlot)) {
    if (family === 'tap0') resident += examples * floats(variableDims(setting, name));
  }
  for (const { dims } of setting.noise) resident += examples * count * floats(dims);
  const work = evaluationBytes(victim, setting, programs, { clips: clips * count, evaluations: examples * count });
  const [transform, objective, ...others] = [programs.transform, programs.objective, programs.step, programs.init].map(
    (program) => (program === undefined ? 0 : programBytes(program, setting, examples)),
  );
  return {
    residentBytes: resident + work.frontier,
    workingBytes: Math.max(work.evaluation + (transform ?? 0) + (objective ?? 0), work.ahead, ...others),
  };
}

/** What the victim itself takes: what is computed ahead, what of it stays, and what an evaluation takes beside that. */
function evaluationBytes(
  { graph, types, taps }: VictimGraph,
  setting: EvaluationSetting,
  { transform }: ShapedPrograms,
  { clips, evaluations }: { readonly clips: number; readonly evaluations: number },
) {
  const names = [
    ...setting.variables.map(({ name }) => name),
    ...(transform?.graph.outputs ?? []).map(({ name }) => splitSlot(name)[1]),
  ];
  const moved = descendants(
    graph,
    names.map((name) => (setting.inputs.has(name) ? name : (taps.get(name)?.value ?? name))),
  );
  const moves = ({ outputs }: Node) => outputs.some((name) => moved.has(name));
  const moving = { ...graph, nodes: graph.nodes.filter(moves) };
  const still = { ...graph, nodes: graph.nodes.filter((node) => !moves(node)) };
  const madeAhead = new Set(still.nodes.flatMap(({ outputs }) => outputs));
  const crossing = new Set(moving.nodes.flatMap(({ inputs }) => inputs.filter((name) => madeAhead.has(name))));
  const frontier = [...crossing].flatMap((name) => types.get(name) ?? []);
  const evaluation =
    setting.mode === 'differentiate'
      ? GRADIENT_FACTOR * allBytes(moving, types, evaluations)
      : peakBytes(moving, types, evaluations);
  return {
    ahead: peakBytes(still, types, clips),
    frontier: frontier.reduce((sum, type) => sum + bytesOf(type, evaluations), 0),
    evaluation,
  };
}
