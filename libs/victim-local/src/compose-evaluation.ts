import { type AxisSize, type Graph, isBatchAxis, OnnxError, renameValues, type ValueType } from '@faultline/onnx';
import { Assembly } from './assembly.ts';
import type { ShapedProgram } from './program-shape.ts';
import { type EvaluationSetting, variableDims } from './setting.ts';
import { splitSlot } from './slots.ts';
import { ancestors, cutAt, type GraphTap, type VictimGraph } from './victim-graph.ts';

/** One evaluation as a single graph: transform, victim, objective, and what joins them. */
export interface ComposedEvaluation {
  /** (slots) -> loss, logits, tap/T. */
  readonly graph: Graph;
  readonly types: ReadonlyMap<string, ValueType>;
  /** The value whose sum is differentiated. */
  readonly output: string;
  /** By gradient slot, the value that it is the gradient with respect to. */
  readonly wrt: ReadonlyMap<string, string>;
}

/** The programs inside one evaluation. */
export interface InnerPrograms {
  readonly transform: ShapedProgram | undefined;
  readonly objective: ShapedProgram;
}

/** Also the taps that the step program reads of it. */
export interface EvaluationParts extends InnerPrograms {
  readonly stepTaps: readonly string[];
}

const EACH: AxisSize = { batch: 1 };

/** What lies around a victim in one evaluation: what it is given, and what is made of its answers. */
export class Surroundings {
  readonly #setting: EvaluationSetting;
  readonly #transform: ShapedProgram | undefined;
  readonly #objective: ShapedProgram;
  /** The sample axis where there is one. */
  readonly #samples: readonly number[];

  constructor(setting: EvaluationSetting, { transform, objective }: InnerPrograms) {
    this.#setting = setting;
    this.#transform = transform;
    this.#objective = objective;
    this.#samples = setting.samples === undefined ? [] : [setting.samples.count];
  }

  /** Evaluations of each example. */
  get count(): number {
    return this.#samples[0] ?? 1;
  }

  /** Taps that the objective reads. */
  get objectiveTaps(): readonly string[] {
    const slots = this.#objective.graph.inputs.map(({ name }) => splitSlot(name));
    return slots.flatMap(([family, name]) => (family === 'tap' ? [name] : []));
  }

  /** The name of a slot inside the evaluation: points are repeated over the sample axis. */
  repeated(slot: string): string {
    const [family] = splitSlot(slot);
    return this.#samples.length > 0 && (family === 'x' || family === 'x0') ? `many/${slot}` : slot;
  }

  #repeat(assembly: Assembly, slot: string): void {
    const name = this.repeated(slot);
    if (name === slot || assembly.types.has(name)) return;
    const [family, variable] = splitSlot(slot);
    const shared =
      family === 'x' && this.#setting.variables.some((one) => one.name === variable && one.scope === 'shared');
    const examples = shared ? 1 : EACH;
    const dims = variableDims(this.#setting, variable);
    const shapes = [
      [examples, ...dims],
      [examples, this.count, ...dims],
    ] as const;
    assembly.glue(name, slot, shapes, (b, typed) => {
      const single = typed(b.op('Unsqueeze', [slot, b.ints([1])]), [examples, 1, ...dims]);
      return b.op('Expand', [single, b.ints([1, this.count, ...dims.map(() => 1)])]);
    });
  }

  /** Points, and what the transform makes of them. */
  addPoints(assembly: Assembly): void {
    for (const { name } of this.#setting.variables) this.#repeat(assembly, `x/${name}`);
    for (const program of [this.#transform, this.#objective])
      for (const { name } of program?.graph.inputs ?? []) this.#repeat(assembly, name);
    if (this.#transform !== undefined) assembly.addProgram(this.#transform, (slot) => this.repeated(slot));
  }

  /**
   * What the victim is given for an input or a tap that is cut: the name of a value [evaluations x rows, ...rowDims].
   * @throws RangeError for a shared variable that no transform applies
   */
  addGiven(assembly: Assembly, name: string, rows: number, rowDims: readonly number[]): string {
    let source = `seen/${name}`;
    if (this.#transform?.graph.outputs.every((output) => output.name !== source) ?? true) {
      const variable = this.#setting.variables.find((one) => one.name === name);
      if (variable?.scope === 'shared')
        throw new RangeError(`variable '${name}' is shared: it needs a transform program that writes 'seen/${name}'`);
      const slot = variable === undefined ? `x0/${name}` : `x/${name}`;
      this.#repeat(assembly, slot);
      source = this.repeated(slot);
    }
    if (this.#samples.length === 0 && rows === 1) {
      assembly.take(source, [EACH, ...rowDims]);
      return source;
    }
    const flat = `flat/${source}`;
    const shapes = [
      [EACH, ...this.#samples, ...variableDims(this.#setting, name)],
      [{ batch: rows * this.count }, ...rowDims],
    ] as const;
    assembly.glue(flat, source, shapes, (b) => b.reshape(source, [-1, ...rowDims]));
    return flat;
  }

  /** Name under which the victim's answers come: `logits` itself, where there is no sample axis. */
  get flatLogits(): string {
    return this.#samples.length === 0 ? 'logits' : 'flat/logits';
  }

  /** tap/T, of a value [evaluations x rows, ...rowDims]. */
  addTap(assembly: Assembly, name: string, source: string, { rows, rowDims }: GraphTap): void {
    const dims = [...this.#samples, ...variableDims(this.#setting, name)];
    const shapes = [
      [{ batch: rows * this.count }, ...rowDims],
      [EACH, ...dims],
    ] as const;
    assembly.glue(`tap/${name}`, source, shapes, (b) => b.reshape(source, [-1, ...dims]));
  }

  /** The objective, and the total over samples; returns the name of the value to differentiate. */
  addObjective(assembly: Assembly): string {
    const { samples, labels } = this.#setting;
    assembly.take(this.flatLogits, [{ batch: this.count }, labels]);
    if (samples !== undefined) {
      const shapes = [
        [{ batch: this.count }, labels],
        [EACH, this.count, labels],
      ] as const;
      assembly.glue('logits', this.flatLogits, shapes, (b) => b.reshape(this.flatLogits, [-1, this.count, labels]));
    }
    assembly.addProgram(this.#objective, (slot) => this.repeated(slot));
    if (samples?.gradient !== 'mean') return 'loss';
    assembly.glue('total', 'loss', [[EACH, this.count], [EACH]], (b) => b.reduceMean('loss', [1], false));
    return 'total';
  }
}

/** Throws where one variable decides the value of another. */
function checkIndependent({ graph, taps }: VictimGraph, setting: EvaluationSetting): void {
  const madeAs = (name: string) => taps.get(name)?.value ?? name;
  for (const { name } of setting.variables) {
    const tap = setting.inputs.has(name) ? undefined : taps.get(name);
    if (tap === undefined) continue;
    const above = ancestors(graph, tap.value);
    for (const other of setting.variables) {
      if (other.name !== name && above.has(setting.inputs.has(other.name) ? other.name : madeAs(other.name)))
        throw new RangeError(
          `variable '${name}' is a tap whose value variable '${other.name}' decides; attack one of the two`,
        );
    }
  }
}

/**
 * Composes one evaluation.
 * @throws OnnxError when programs and victim do not fit, RangeError when the variables do not.
 */
export function composeEvaluation(
  victim: VictimGraph,
  setting: EvaluationSetting,
  parts: EvaluationParts,
): ComposedEvaluation {
  checkIndependent(victim, setting);
  const { samples, variables } = setting;
  const around = new Surroundings(setting, parts);
  const assembly = new Assembly();
  around.addPoints(assembly);

  /** By value of the victim's graph, the value that takes its place. */
  const given = new Map<string, string>();
  for (const [name, dims] of setting.inputs) given.set(name, around.addGiven(assembly, name, 1, dims));
  const cut: GraphTap[] = [];
  for (const { name } of variables) {
    const tap = setting.inputs.has(name) ? undefined : victim.taps.get(name);
    if (tap === undefined) continue;
    if (tap.value === victim.logits)
      throw new RangeError(`variable '${name}' is the logits; attack what they come from`);
    cut.push(tap);
    given.set(tap.value, around.addGiven(assembly, name, tap.rows, tap.rowDims));
  }
  const inner = (name: string) => (name === victim.logits ? around.flatLogits : (given.get(name) ?? `victim/${name}`));
  const scaled = (size: AxisSize) => (isBatchAxis(size) ? { batch: size.batch * around.count } : size);
  const types = Array.from(
    victim.types,
    ([name, type]) => [inner(name), { ...type, dims: type.dims.map(scaled) }] as const,
  );
  assembly.add(renameValues(cutAt(victim.graph, cut), inner), types);

  for (const name of new Set([...around.objectiveTaps, ...parts.stepTaps])) {
    const tap = victim.taps.get(name);
    if (tap === undefined) throw new OnnxError(`the victim has no tap '${name}'`);
    around.addTap(assembly, name, inner(tap.value), tap);
  }
  const output = around.addObjective(assembly);
  const outputs = new Set(['loss', 'logits', ...parts.stepTaps.map((name) => `tap/${name}`), output]);
  const graph = assembly.joined([...outputs]);
  for (const { name } of variables) {
    if (!graph.inputs.some((input) => input.name === `x/${name}`))
      throw new RangeError(`variable '${name}' has no effect: neither the victim nor a program reads it`);
  }
  const point = (name: string) => (samples?.gradient === 'each' ? around.repeated(`x/${name}`) : `x/${name}`);
  const wrt = new Map(variables.map(({ name }) => [`grad/${name}`, point(name)]));
  return { graph, types: assembly.types, output, wrt };
}
