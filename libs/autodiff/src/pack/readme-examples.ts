import { readFile } from 'node:fs/promises';
import { encodeModel, float32, GraphBuilder, ints } from '@faultline/onnx';

/** The code blocks of the README in a language, in order. */
export async function readmeExamples(language: 'ts' | 'js'): Promise<string[]> {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, code = '']) => code);
}

/** The `classifier.onnx` of the examples: waveform [batch, 800] -> loss [batch]. */
export function exampleClassifier(): Uint8Array {
  const b = new GraphBuilder();
  const signal = b.op('Unsqueeze', [b.input('waveform', ['batch', 800]), b.ints([1])]);
  const kernel = float32(
    Float32Array.from({ length: 4 * 16 }, (_, i) => Math.sin(i)),
    [4, 1, 16],
  );
  const filtered = b.op('Conv', [signal, b.constant(kernel)], { strides: ints([8]) });
  const pooled = b.op('GlobalAveragePool', [b.op('Softplus', [filtered])]);
  b.output(
    b.op('ReduceLogSumExp', [pooled, b.ints([1, 2])], { keepdims: { type: 'int', value: 0 } }),
    ['batch'],
    'float32',
    'loss',
  );
  return encodeModel(b.model());
}
