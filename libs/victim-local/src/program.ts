import { createHash } from 'node:crypto';
import {
  decodeModel,
  describeNode,
  elementCount,
  type Graph,
  type Node,
  OnnxError,
  OPSET,
  upgradeModel,
} from '@faultline/onnx';
import type { Programs } from '@faultline/victim';
import { ALLOWED_OPERATORS } from './allowed-operators.ts';
import { mayRead, mayWrite, type ProgramRole } from './slots.ts';

/** Programs are weightless; this leaves room for masks and small tables only. */
export const MAX_PROGRAM_BYTES = 256 * 1024;

/** More nodes than any attack needs; bounds the time to load a program. */
const MAX_PROGRAM_NODES = 2_000;

/** A checked program. */
export interface Program {
  readonly role: ProgramRole;
  readonly graph: Graph;
  /** SHA-256 of its bytes: the key under which compiled sessions are kept. */
  readonly digest: string;
}

/** A program that may not run; the message names the program, the node or slot, and the rule. */
export class ProgramError extends Error {
  override name = 'ProgramError';
  readonly role: ProgramRole;

  constructor(role: ProgramRole, problem: string, options?: ErrorOptions) {
    super(`${role} program: ${problem}`, options);
    this.role = role;
  }
}

/** The programs of a loop, checked. */
export interface ProgramSet {
  readonly transform: Program | undefined;
  readonly objective: Program;
  readonly step: Program;
  readonly init: Program | undefined;
}

/** Reads and checks all programs of a loop. @throws ProgramError */
export function readPrograms({ transform, objective, step, init }: Programs): ProgramSet {
  return {
    transform: transform && readProgram('transform', transform),
    objective: readProgram('objective', objective),
    step: readProgram('step', step),
    init: init && readProgram('init', init),
  };
}

/**
 * Reads a program and checks it: size, operators, no subgraphs, slots.
 * @throws ProgramError when it breaks a rule.
 */
export function readProgram(role: ProgramRole, bytes: Uint8Array): Program {
  if (bytes.byteLength === 0) throw new ProgramError(role, 'is empty');
  if (bytes.byteLength > MAX_PROGRAM_BYTES) {
    throw new ProgramError(
      role,
      `has ${bytes.byteLength} bytes; the limit is ${MAX_PROGRAM_BYTES}: pass large tensors as const/ slots`,
    );
  }
  try {
    const model = decodeModel(bytes);
    checkGraph(role, model.graph);
    if (model.domains.size > 0)
      throw new ProgramError(role, `uses operator domain '${[...model.domains.keys()][0]}'; only ai.onnx is allowed`);
    if (model.opset > OPSET)
      throw new ProgramError(role, `is written in opset ${model.opset}; at most ${OPSET} is allowed`);
    const digest = createHash('sha256').update(bytes).digest('hex');
    // Joined with the victim, it must mean the same in the operator set that both are then read in.
    return { role, graph: upgradeModel(model).graph, digest };
  } catch (error) {
    if (error instanceof OnnxError) throw new ProgramError(role, error.message, { cause: error });
    throw error;
  }
}

function checkGraph(role: ProgramRole, graph: Graph): void {
  if (graph.nodes.length > MAX_PROGRAM_NODES) {
    throw new ProgramError(role, `has ${graph.nodes.length} nodes; the limit is ${MAX_PROGRAM_NODES}`);
  }
  for (const node of graph.nodes) {
    if (node.domain !== '' || !ALLOWED_OPERATORS.has(node.op))
      throw new ProgramError(role, `${describeNode(node)} is not an allowed operator`);
    if (Object.values(node.attributes).some((attribute) => attribute.type === 'graph')) {
      throw new ProgramError(role, `${describeNode(node)} holds a subgraph; control flow is not allowed`);
    }
  }
  for (const node of graph.nodes) checkCounts(role, node);
  for (const [name, tensor] of graph.initializers) {
    if (elementCount(tensor.dims) * 8 > MAX_PROGRAM_BYTES)
      throw new ProgramError(role, `initializer '${name}' is too large`);
  }
  for (const input of graph.inputs) {
    if (!mayRead(role, input.name)) throw new ProgramError(role, `input '${input.name}' is no slot that it may read`);
  }
  if (graph.outputs.length === 0) throw new ProgramError(role, 'has no outputs');
  if (role === 'objective' && graph.outputs.every(({ name }) => name !== 'loss'))
    throw new ProgramError(role, "has no output 'loss'");
  for (const output of graph.outputs) {
    if (!mayWrite(role, output.name))
      throw new ProgramError(role, `output '${output.name}' is no slot that it may write`);
  }
}

/** Attributes that count something; the runtime divides by some of them without looking. */
const COUNTS = ['group', 'blocksize', 'strides', 'dilations', 'kernel_shape'];

function checkCounts(role: ProgramRole, node: Node): void {
  for (const name of COUNTS) {
    const attribute = node.attributes[name];
    const values = attribute?.type === 'int' ? [attribute.value] : attribute?.type === 'ints' ? attribute.value : [];
    if (values.some((value) => value < 1))
      throw new ProgramError(role, `${describeNode(node)}: '${name}' is ${values.join(', ')}; it must be 1 or more`);
  }
}
