import { type Graph, modelOf } from '@faultline/onnx';
import { fromOrt, Session, toOrt } from '@faultline/ort';
import type { OpenGraph } from './gradcheck.ts';

/** Opens graphs with the stock runtime; for tests, for this library depends on no runtime. */
export async function openWithRuntime(graph: Graph): Promise<OpenGraph> {
  const session = await Session.create(modelOf(graph), { optimization: 'basic' });
  return {
    run: async (inputs, outputs) => {
      const feeds = Object.fromEntries([...inputs].map(([name, tensor]) => [name, toOrt(tensor)]));
      const results = await session.run(feeds, outputs);
      return new Map(Object.entries(results).map(([name, tensor]) => [name, fromOrt(tensor)]));
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}
