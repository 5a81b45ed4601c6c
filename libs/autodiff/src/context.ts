import { describeNode, integers, type Node, OnnxError, type Tensor } from '@faultline/onnx';
import { sameDims, type Value } from './dims.ts';
import type { Expressions } from './expressions.ts';
import type { RuleContext } from './rule.ts';

/** What the walker knows of the node at hand. */
export interface NodeSituation {
  readonly node: Node;
  readonly opset: number;
  readonly e: Expressions;
  readonly typedValue: (name: string) => Value;
  readonly gradOf: (name: string) => Value | undefined;
  readonly wanted: (name: string) => boolean;
  readonly producerOf: (name: string) => Node | undefined;
}

/** Answers a rule's questions about one node. */
export class NodeContext implements RuleContext {
  readonly node: Node;
  readonly opset: number;
  readonly e: Expressions;
  readonly #situation: NodeSituation;

  constructor(situation: NodeSituation) {
    this.node = situation.node;
    this.opset = situation.opset;
    this.e = situation.e;
    this.#situation = situation;
  }

  get inputCount(): number {
    return this.node.inputs.length;
  }

  has(i: number): boolean {
    return (this.node.inputs[i] ?? '') !== '';
  }

  input(i: number): Value {
    const name = this.node.inputs[i] ?? '';
    if (name === '') throw this.fail(`input ${i} is left out`);
    return this.#situation.typedValue(name);
  }

  output(i = 0): Value {
    const name = this.node.outputs[i] ?? '';
    if (name === '') throw this.fail(`output ${i} is left out`);
    return this.#situation.typedValue(name);
  }

  hasGrad(i: number): boolean {
    return this.#situation.gradOf(this.node.outputs[i] ?? '') !== undefined;
  }

  grad(i = 0): Value {
    const output = this.output(i);
    const grad = this.#situation.gradOf(output.name);
    return grad === undefined ? this.e.zerosLike(output) : this.e.expand(grad, output.dims, output);
  }

  compactGrad(): Value {
    return this.#situation.gradOf(this.output().name) ?? this.grad();
  }

  broadcastGrad(): Value {
    const { dims } = this.output();
    const summed = this.node.inputs.some(
      (name, i) => this.needs(i) && !sameDims(this.#situation.typedValue(name).dims, dims),
    );
    return summed ? this.grad() : this.compactGrad();
  }

  needs(i: number): boolean {
    const name = this.node.inputs[i] ?? '';
    return name !== '' && this.#situation.wanted(name);
  }

  producer(i: number): Node | undefined {
    return this.#situation.producerOf(this.node.inputs[i] ?? '');
  }

  constant(i: number): Tensor | undefined {
    return this.e.constantOf(this.node.inputs[i] ?? '');
  }

  integers(i: number, what: string): number[] {
    const constant = this.constant(i);
    if (constant === undefined) throw this.fail(`its ${what} (input ${i}) must be constant`);
    return integers(constant);
  }

  fail(reason: string): OnnxError {
    return new OnnxError(`cannot differentiate ${describeNode(this.node)}: ${reason}`);
  }
}
