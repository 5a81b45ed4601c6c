import { elementCount, type Graph, isBatchAxis, modelOf, type ValueType } from '@faultline/onnx';
import { type Feeds, float32Data, OrtTensor, type Outputs, Session, type SessionOptions, toOrt } from '@faultline/ort';
import { CHUNK, fits, Kernel, operator } from './kernel.ts';
import { FOLDS } from './lane-operators.ts';
import { type Pass, type PassValue, splitProgram } from './split-program.ts';

/** What runs a program: a session of the runtime, or sessions and passes. */
export interface Computation extends AsyncDisposable {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** `outputs` limits what is returned to these names; where a tensor is given with a name, the result is written into its memory, which must not be one of the inputs. */
  run(feeds: Feeds, outputs: Outputs): Promise<Record<string, OrtTensor>>;
}

/** Sums in float32 lose digits with their length: so many coordinates are summed before they are added in float64. */
const FOLDED_TOGETHER = 2048;

type StageRun = (values: Map<string, OrtTensor>, outputs: Outputs, examples: number) => Promise<void> | void;

/** A program whose arithmetic on points runs in passes (see splitProgram). */
export class FusedProgram implements Computation {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly #types: ReadonlyMap<string, ValueType>;
  /** Constants that passes may read; sessions have their own. */
  readonly #constants: ReadonlyMap<string, OrtTensor>;
  readonly #sessions: readonly Session[];
  readonly #stages: readonly StageRun[];

  private constructor(
    graph: Graph,
    types: ReadonlyMap<string, ValueType>,
    sessions: readonly Session[],
    stages: readonly StageRun[],
  ) {
    this.inputNames = graph.inputs.map(({ name }) => name);
    this.outputNames = graph.outputs.map(({ name }) => name);
    this.#types = types;
    this.#constants = new Map(
      [...graph.initializers].flatMap(([name, tensor]) =>
        tensor.dataType === 'float32' || tensor.dataType === 'bool' ? [[name, toOrt(tensor)]] : [],
      ),
    );
    this.#sessions = sessions;
    this.#stages = stages;
  }

  /**
   * Loads a program: as passes and sessions where it has arithmetic on points, else as one session.
   * @param types types of all its values
   * @throws Error when the runtime refuses it
   */
  static async load(
    graph: Graph,
    types: ReadonlyMap<string, ValueType>,
    options: SessionOptions,
  ): Promise<Computation> {
    const split = splitProgram(graph, types);
    const passes = split?.stages.flatMap((stage) => (stage.kind === 'passes' ? stage.passes : [])) ?? [];
    if (split === undefined || !passes.every(({ program }) => fits(program)))
      return Session.create(modelOf(graph), options);
    const { stages, crossing } = split;
    const sessions: Session[] = [];
    const runs: StageRun[] = [];
    for (const stage of stages) {
      if (stage.kind === 'passes') {
        const passes = stage.passes.map((pass) => ({ pass, kernel: new Kernel(pass.program) }));
        runs.push((values, outputs, examples) => {
          for (const { pass, kernel } of passes) runPass(kernel, pass, { values, outputs, crossing, examples, types });
        });
        continue;
      }
      const session = await Session.create(modelOf(stage.graph), options);
      sessions.push(session);
      runs.push(sessionRun(session, crossing));
    }
    return new FusedProgram(graph, types, sessions, runs);
  }

  async run(feeds: Feeds, outputs: Outputs): Promise<Record<string, OrtTensor>> {
    const values = new Map([...this.#constants, ...Object.entries(feeds)]);
    const examples = this.#examplesOf(values);
    for (const stage of this.#stages) await stage(values, outputs, examples);
    return Object.fromEntries(
      Object.keys(outputs).map((name) => {
        const value = values.get(name);
        if (value === undefined) throw new RangeError(`output '${name}' is not one of ${this.outputNames.join(', ')}`);
        return [name, value];
      }),
    );
  }

  #examplesOf(values: ReadonlyMap<string, OrtTensor>): number {
    for (const name of this.inputNames) {
      const [first] = this.#types.get(name)?.dims ?? [];
      const size = values.get(name)?.dims[0];
      if (first !== undefined && isBatchAxis(first) && size !== undefined) return size / first.batch;
    }
    throw new RangeError(`no input tells the number of examples: ${this.inputNames.join(', ')}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) await session[Symbol.asyncDispose]();
  }
}

/** Runs a part of the program in the runtime; results that nobody asked for are not made. */
function sessionRun(session: Session, crossing: ReadonlySet<string>): StageRun {
  return async (values, outputs) => {
    const wanted = session.outputNames.filter((name) => crossing.has(name) || name in outputs);
    if (wanted.length === 0) return;
    const feeds = Object.fromEntries(session.inputNames.map((name) => [name, given(values, name)]));
    const made = await session.run(feeds, Object.fromEntries(wanted.map((name) => [name, outputs[name] ?? null])));
    for (const name of wanted) {
      const value = outputs[name] ?? made[name];
      if (value !== undefined) values.set(name, value);
    }
  };
}

interface PassSetting {
  readonly values: Map<string, OrtTensor>;
  readonly outputs: Outputs;
  readonly crossing: ReadonlySet<string>;
  readonly examples: number;
  readonly types: ReadonlyMap<string, ValueType>;
}

/** Runs a pass over all examples, chunk by chunk: whole rows where they are short, parts of a row where they are long. */
function runPass(kernel: Kernel, pass: Pass, { values, outputs, crossing, examples, types }: PassSetting): void {
  const { size, rows, program } = pass;
  const made = (name: string) => {
    const tensor = outputs[name] ?? emptyTensor(types.get(name), examples);
    values.set(name, tensor);
    return float32Data(tensor);
  };
  const streams = pass.streams.map((value) => ({ ...value, data: float32Data(given(values, value.name)) }));
  const scalars = pass.scalars.map((value) => ({ ...value, data: given(values, value.name) }));
  const results = pass.results.map((name) => (crossing.has(name) || name in outputs ? made(name) : undefined));
  const folds = pass.folds.map(({ name, rows: of }, index) => {
    const data = made(name);
    const { join, empty, finish } = operator(FOLDS, program.folds[index]?.op ?? '');
    return { rows: of, data, join, finish, folded: new Float64Array(data.length).fill(empty) };
  });

  const rowSize = size / rows;
  const rowsTogether = Math.max(1, Math.floor(CHUNK / rowSize));
  const part = Math.min(rowSize, folds.length === 0 ? CHUNK : FOLDED_TOGETHER);
  for (let row = 0; row < examples * rows; row += rowsTogether) {
    const lastRow = Math.min(row + rowsTogether, examples * rows);
    for (let from = row * rowSize; from < lastRow * rowSize; from += CHUNK) {
      const to = Math.min(from + CHUNK, lastRow * rowSize);
      load(kernel, streams, size, from, to);
      for (let at = from; at < to; ) {
        const now = Math.floor(at / rowSize);
        const end = Math.min(at + part, to, (now + 1) * rowSize);
        for (const [index, { rows: of, data }] of scalars.entries()) {
          const value = data.data[of === 0 ? 0 : Math.floor((now * of) / rows)];
          kernel.set(index, data.type === 'bool' ? value !== 0 : Number(value));
        }
        kernel.run(at - from, end - from);
        for (const [index, { rows: of, folded, join }] of folds.entries()) {
          const place = Math.floor((now * of) / rows);
          folded[place] = join(folded[place] ?? 0, kernel.folded(index));
        }
        at = end;
      }
      for (const [index, data] of results.entries()) {
        if (data !== undefined) kernel.store(index, data, from, to);
      }
    }
  }
  for (const { rows: of, data, folded, finish } of folds) {
    for (const [index, value] of folded.entries()) data[index] = finish(value, size / of);
  }
}

/** Puts coordinates [from, to) of all examples into the chunk; a stream of one for all begins anew with each example. */
function load(
  kernel: Kernel,
  streams: readonly (PassValue & { readonly data: Float32Array })[],
  size: number,
  from: number,
  to: number,
): void {
  for (const [index, { rows, data }] of streams.entries()) {
    if (rows > 0) {
      kernel.load(index, data, from, to);
      continue;
    }
    for (let at = from; at < to; ) {
      const inside = at % size;
      const end = Math.min(to, at - inside + size);
      kernel.load(index, data, inside, inside + end - at, at - from);
      at = end;
    }
  }
}

function given(values: ReadonlyMap<string, OrtTensor>, name: string): OrtTensor {
  const value = values.get(name);
  if (value === undefined) throw new RangeError(`value '${name}' is read by a program but was not made`);
  return value;
}

function emptyTensor(type: ValueType | undefined, examples: number): OrtTensor {
  const dims = (type?.dims ?? []).map((size) => (isBatchAxis(size) ? size.batch * examples : size));
  return new OrtTensor('float32', new Float32Array(elementCount(dims)), dims);
}
