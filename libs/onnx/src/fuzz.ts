import { GraphBuilder, modelOf } from './builder.ts';
import { checkGraph } from './check.ts';
import { decodeModel } from './decode.ts';
import { encodeModel } from './encode.ts';
import { int, ints, OnnxError, string } from './model.ts';
import { mutated, mutatedModel } from './mutation.ts';
import { standardModel } from './standard.ts';
import { float32, int64 } from './tensor.ts';

/** Small models that hold every kind of attribute, shapes computed in the graph, branches, and fused and old operators. */
export function seedModels(): Uint8Array[] {
  const branch = (op: string) => {
    const inner = new GraphBuilder({ prefix: `${op}/` });
    inner.output(inner.op(op, ['x']), ['batch', 2, 4]);
    return { type: 'graph', value: inner.graph(op) } as const;
  };
  const modern = new GraphBuilder();
  const x = modern.input('x', ['batch', 2, 4]);
  const shape = modern.op('Shape', [x]);
  const size = modern.op('Gather', [shape, modern.constant(int64([1], []))]);
  const condition = modern.op('Equal', [size, modern.constant(int64([2], []))]);
  const chosen = modern.op('If', [condition], { then_branch: branch('Relu'), else_branch: branch('Neg') });
  const convolved = modern.op('Conv', [chosen, modern.constant(float32([1, 2, 3, 4, 5, 6], [1, 2, 3]))], {
    pads: ints([1, 1]),
    auto_pad: string('NOTSET'),
  });
  const tiled = modern.op('Tile', [convolved, modern.ints([1, 3, 2])]);
  const resized = modern.op('Resize', [tiled, '', modern.constant(float32([1, 1, 2]))], { mode: string('linear') });
  modern.append([
    { name: 'act', op: 'FastGelu', domain: 'com.microsoft', inputs: [resized], outputs: ['y'], attributes: {} },
  ]);
  modern.output('y', ['batch', 3, 16]);

  const old = new GraphBuilder();
  const z = old.input('z', ['batch', 6]);
  const [left, right] = [old.fresh('left'), old.fresh('right')];
  old.add('Split', [z], { axis: int(1), split: ints([2, 4]) }, [left, right]);
  const padded = old.op('Pad', [left], { pads: ints([0, 1, 0, 1]), value: { type: 'float', value: 0.5 } });
  const joined = old.concat([old.op('Clip', [padded], { min: { type: 'float', value: 0 } }), right], 1);
  const reduced = old.op('ReduceSum', [old.op('Softmax', [joined])], { axes: ints([1]), keepdims: int(0) });
  old.output(old.op('Unsqueeze', [reduced], { axes: ints([1]) }), ['batch', 1]);

  return [
    encodeModel({ ...modern.model(), domains: new Map([['com.microsoft', 1]]) }),
    encodeModel(modelOf(old.graph(), 9)),
  ];
}

/** A damaged file; the same seed gives the same one. */
export function damagedFile(seed: number, models = seedModels()): Uint8Array {
  const original = models[seed % models.length] ?? new Uint8Array();
  // Half of them damaged byte by byte, half well-formed files of graphs that make no sense.
  return seed % 4 < 2 ? mutated(original, seed) : encodeModel(mutatedModel(decodeModel(original), seed));
}

/** Longest time on the processor that reading a small file may take, in milliseconds; far above what it takes. */
const PATIENCE_MS = 1000;

/** Most memory that reading one small file may add, in bytes; its claims may be of any size. */
const PATIENCE_BYTES = 256 * 2 ** 20;

/** What came of mutated files. */
export interface FuzzOutcome {
  /** Files that were read and checked, and files that were refused by an OnnxError. */
  readonly read: number;
  readonly refused: number;
  /** What went wrong, with the seed that makes it again. */
  readonly failures: readonly string[];
}

/** Reads, checks, standardises and writes mutated files: each is read or refused by an OnnxError in good time and bounded memory. */
export function fuzz(seeds: Iterable<number>): FuzzOutcome {
  const models = seedModels();
  const failures: string[] = [];
  let [read, refused] = [0, 0];
  for (const seed of seeds) {
    const started = process.cpuUsage();
    const held = process.memoryUsage.rss();
    try {
      const model = decodeModel(damagedFile(seed, models));
      checkGraph(model.graph);
      encodeModel(standardModel(model));
      read++;
    } catch (error) {
      if (error instanceof OnnxError) refused++;
      else failures.push(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    const grown = process.memoryUsage.rss() - held;
    if (grown > PATIENCE_BYTES) failures.push(`seed ${seed}: took ${Math.round(grown / 2 ** 20)} MiB`);
    const { user, system } = process.cpuUsage(started);
    const took = (user + system) / 1000;
    if (took > PATIENCE_MS) failures.push(`seed ${seed}: took ${Math.round(took)} ms`);
  }
  return { read, refused, failures };
}
