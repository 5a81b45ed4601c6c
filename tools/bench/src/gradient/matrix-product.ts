import { GraphBuilder, modelOf } from '@faultline/onnx';
import { OrtTensor, Session } from '@faultline/ort';
import type { Setting } from './setting.ts';

const SIDE = 1024;
/** Floating-point operations of one product: a multiplication and an addition each. */
export const PRODUCT_FLOPS = 2 * SIDE ** 3;

/** The product of two matrices [1024, 1024]: the most that a machine's runtime does, near enough. */
export async function matrixProduct(setting: Setting): Promise<AsyncDisposable & { run(): Promise<unknown> }> {
  const b = new GraphBuilder();
  b.output(b.matmul(b.input('a', [SIDE, SIDE]), b.input('b', [SIDE, SIDE])), [SIDE, SIDE]);
  const session = await Session.create(modelOf(b.graph()), setting);
  const matrix = () => new OrtTensor('float32', new Float32Array(SIDE * SIDE).fill(0.5), [SIDE, SIDE]);
  const feeds = { a: matrix(), b: matrix() };
  return { run: () => session.run(feeds), [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() };
}
