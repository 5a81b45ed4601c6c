import type { victim } from '@faultline/contracts';
import {
  type Attribute,
  decodeModel,
  type Graph,
  int,
  type Model,
  type Node,
  renameValues,
  usesFloat16,
  type ValueInfo,
  valueNames,
} from '@faultline/onnx';
import { float32Data, OrtTensor, Session, type SessionOptions } from '@faultline/ort';
import { MODEL_PREFIX } from './compose-victim.ts';
import type { Engine } from './engine.ts';
import { feedsFor } from './feeds.ts';
import { isForOneExample } from './free-batch.ts';
import type { VictimFiles } from './victim-files.ts';
import { untyped } from './victim-graph.ts';

type Feeds = Readonly<Record<string, OrtTensor>>;

/** One file of a victim at work: reads its inputs among the values, and adds what it makes. */
type Part = (values: Map<string, OrtTensor>) => Promise<void>;

/** What one file holds. */
interface PartShape {
  readonly source: Uint8Array | Model;
  readonly graph: Graph;
  readonly outputs: readonly string[];
  /** What stands before an input's name among the values. */
  readonly prefix: string;
}

/** What says whether an attack has succeeded: a forward pass, and nothing else. */
export interface CleanVictim extends AsyncDisposable {
  /** Logits `[batch, labels]`, float32, of the card's inputs. */
  logits(inputs: ReadonlyMap<string, OrtTensor>): Promise<OrtTensor>;
}

/** The victim as its files say; where they do not name its logits, the composed graph, which does. */
export async function cleanVictim(
  options: VictimFiles & { readonly card: victim.Card; readonly threads?: number },
  engine: Engine,
): Promise<CleanVictim> {
  const { card, threads = 1 } = options;
  const unchanged = await UnchangedVictim.load(card, options, { threads });
  if (unchanged !== undefined) return unchanged;
  const { session } = await engine.predictor();
  return {
    async logits(inputs) {
      const slots = new Map(Array.from(inputs, ([name, value]) => [`x0/${name}`, value]));
      const { logits } = await session.run(feedsFor(session, slots));
      if (logits === undefined) throw new RangeError('the victim gave no logits');
      return logits;
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/**
 * Front end, model and head in the runtime as their files say, one after another: what verdicts rest on. Gradients come from a
 * composed graph of standard operators in single precision, which computes nearly the same; where a file is in half precision or
 * quantised, nearly is not enough.
 */
export class UnchangedVictim implements CleanVictim {
  readonly #parts: readonly Part[];
  readonly #sessions: AsyncDisposable;
  readonly #logits: string;

  private constructor(parts: readonly Part[], sessions: AsyncDisposable, logits: string) {
    this.#parts = parts;
    this.#sessions = sessions;
    this.#logits = logits;
  }

  /**
   * Loads the files. Undefined where they cannot be run one after another as they are: the model's file names no such logits (those of
   * a branch or a local function, which only the composed graph brings to the surface), or takes whole numbers where the card's
   * values, which are not rounded, come in.
   */
  static async load(
    card: victim.Card,
    files: VictimFiles,
    options: SessionOptions,
  ): Promise<UnchangedVictim | undefined> {
    const model = decodeModel(files.model, files.external === undefined ? {} : { external: files.external });
    const head = files.head === undefined ? undefined : decodeModel(files.head).graph;
    const wanted = head === undefined ? [card.logits] : head.inputs.map(({ name }) => name);
    const made = valueNames(model.graph);
    if (wanted.some((name) => !made.has(name))) return undefined;
    const frontEnd = files.frontEnd === undefined ? undefined : decodeModel(files.frontEnd).graph;
    if (!model.graph.inputs.every((input) => takesWhatComes(input, frontEnd))) return undefined;
    const shapes: PartShape[] = [];
    if (files.frontEnd !== undefined && frontEnd !== undefined) {
      const outputs = frontEnd.outputs.map(({ name }) => name);
      shapes.push({ source: files.frontEnd, graph: frontEnd, outputs, prefix: '' });
    }
    const isWhole = files.external === undefined && wanted.every((name) => isOutput(model.graph, name));
    const opened = withOutputs(model, wanted);
    const source = usesFloat16(model.graph) ? singleAtBorder(opened) : isWhole ? files.model : opened;
    const prefix = files.frontEnd === undefined ? '' : MODEL_PREFIX;
    shapes.push({ source, graph: model.graph, outputs: wanted, prefix });
    if (files.head !== undefined && head !== undefined)
      shapes.push({ source: files.head, graph: head, outputs: [card.logits], prefix: '' });
    await using sessions = new AsyncDisposableStack();
    const parts: Part[] = [];
    for (const shape of shapes) parts.push(partOf(shape, sessions.use(await Session.create(shape.source, options))));
    return new UnchangedVictim(parts, sessions.move(), card.logits);
  }

  /** Logits `[batch, labels]`, float32, of the card's inputs. */
  async logits(inputs: ReadonlyMap<string, OrtTensor>): Promise<OrtTensor> {
    const values = new Map(inputs);
    for (const part of this.#parts) await part(values);
    const logits = values.get(this.#logits);
    if (logits === undefined) throw new RangeError('the victim gave no logits');
    return logits;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#sessions[Symbol.asyncDispose]());
  }
}

/** Whether a model's input is of the type that the front end, or the card, gives it; single precision is rounded to half. */
function takesWhatComes({ name, dataType }: ValueInfo, frontEnd: Graph | undefined): boolean {
  const given = frontEnd?.outputs.find((output) => output.name === `${MODEL_PREFIX}${name}`)?.dataType ?? 'float32';
  return dataType === given || dataType === 'unknown' || (dataType === 'float16' && given === 'float32');
}

const isOutput = ({ outputs }: Graph, wanted: string) => outputs.some(({ name }) => name === wanted);

/** The model with inner values among its outputs. */
const withOutputs = (model: Model, wanted: readonly string[]): Model => ({
  ...model,
  graph: {
    ...model.graph,
    outputs: wanted.map((name) => model.graph.outputs.find((output) => output.name === name) ?? untyped(name)),
  },
});

/** Numbers of the element types in the ONNX schema. */
const SINGLE = int(1);
const HALF = int(10);

/** The runtime hands half-precision values over in one type of array and takes another: they are cast inside the graph. */
function singleAtBorder(model: Model): Model {
  const { inputs, outputs } = model.graph;
  const halves = new Set(inputs.filter(({ dataType }) => dataType === 'float16').map(({ name }) => name));
  const given = new Set(outputs.map(({ name }) => name));
  const inside = (name: string) => (halves.has(name) || given.has(name) ? `${name}/half` : name);
  const renamed = renameValues(model.graph, inside);
  const cast = (from: string, name: string, to: Attribute): Node => ({
    ...{ name: '', op: 'Cast', domain: '', inputs: [from] },
    ...{ outputs: [name], attributes: { to } },
  });
  const nodes = [
    ...[...halves].map((name) => cast(name, inside(name), HALF)),
    ...renamed.nodes,
    ...[...given].map((name) => cast(inside(name), name, SINGLE)),
  ];
  const single = inputs.map((input) => (halves.has(input.name) ? { ...input, dataType: 'float32' as const } : input));
  return { ...model, graph: { ...renamed, nodes, inputs: single, outputs: [...given].map(untyped) } };
}

function partOf({ graph, outputs, prefix }: PartShape, session: Session): Part {
  const isHalf = new Set(
    [...graph.inputs, ...graph.outputs].flatMap((value) => (value.dataType === 'float16' ? value.name : [])),
  );
  // Where the runtime has no kernel in half precision it computes in single and may leave out the casts at the border.
  const rounded = (name: string, value: OrtTensor) => (isHalf.has(name) ? roundedToHalf(value) : value);
  const compute = async (feeds: Feeds) => {
    const given = Object.entries(feeds).map(([name, value]) => [name, rounded(name, value)]);
    const results = await session.run(Object.fromEntries(given), outputs);
    return outputs.flatMap((name) => {
      const value = results[name];
      return value === undefined ? [] : rounded(name, value);
    });
  };
  return async (values) => {
    const feeds = Object.fromEntries(
      session.inputNames.map((name) => {
        const value = values.get(`${prefix}${name}`);
        if (value === undefined) throw new RangeError(`nothing gives the victim's input '${name}'`);
        return [name, value];
      }),
    );
    const results = isForOneExample(graph) ? await oneByOne(feeds, compute) : await compute(feeds);
    for (const [index, value] of results.entries()) values.set(outputs[index] ?? '', value);
  };
}

const roundedToHalf = (value: OrtTensor): OrtTensor =>
  new OrtTensor('float32', Float32Array.from(Float16Array.from(float32Data(value))), value.dims);

/** Runs a model that takes one example at a time over a batch. */
async function oneByOne(feeds: Feeds, compute: (feeds: Feeds) => Promise<readonly OrtTensor[]>): Promise<OrtTensor[]> {
  const examples = Object.values(feeds)[0]?.dims[0] ?? 0;
  const each: (readonly OrtTensor[])[] = [];
  for (let example = 0; example < examples; example++) {
    const row = Object.entries(feeds).map(([name, batch]) => [name, rowOf(batch, example)]);
    each.push(await compute(Object.fromEntries(row)));
  }
  return (each[0] ?? []).map((_, output) => stacked(each.flatMap((results) => results[output] ?? [])));
}

function rowOf(batch: OrtTensor, row: number): OrtTensor {
  const size = batch.size / (batch.dims[0] ?? 1);
  const data = float32Data(batch).subarray(row * size, (row + 1) * size);
  return new OrtTensor('float32', data, [1, ...batch.dims.slice(1)]);
}

function stacked(rows: readonly OrtTensor[]): OrtTensor {
  const size = rows[0]?.size ?? 0;
  const data = new Float32Array(rows.length * size);
  for (const [index, row] of rows.entries()) data.set(float32Data(row), index * size);
  return new OrtTensor('float32', data, [rows.length, ...(rows[0]?.dims.slice(1) ?? [])]);
}
