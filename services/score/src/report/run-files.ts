import type { Report } from '@faultline/report';
import type { Example } from './example.ts';
import { reportPage } from './html/page.ts';

const INDENT = 2;

/** Raw little-endian bytes of float32 values. */
function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Files of one example: its description, and the clean and attacked tensors as raw little-endian float32. */
function exampleFiles(example: Example): [name: string, content: string | Uint8Array][] {
  const base = `examples/${example.victim}`;
  const { inputs, ...description } = example;
  const described = inputs.map(({ specification, dims }) => ({
    name: specification.name,
    dims,
    clean: `${specification.name}-clean.f32`,
    attacked: `${specification.name}-attacked.f32`,
  }));
  return [
    [`${base}/example.json`, `${JSON.stringify({ ...description, inputs: described }, undefined, INDENT)}\n`],
    ...inputs.flatMap(({ specification, clean, attacked }): [string, Uint8Array][] => [
      [`${base}/${specification.name}-clean.f32`, bytesOf(clean)],
      [`${base}/${specification.name}-attacked.f32`, bytesOf(attacked)],
    ]),
  ];
}

/** Everything a run leaves behind, by path in its folder; the report last, so that its presence means completeness. */
export function runFiles(report: Report, examples: readonly Example[]): ReadonlyMap<string, string | Uint8Array> {
  return new Map([
    ...examples.flatMap(exampleFiles),
    ['report.html', reportPage(report, examples)] as const,
    ['report.json', `${JSON.stringify(report, undefined, INDENT)}\n`] as const,
  ]);
}
