import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { differentiate } from '@faultline/autodiff';
import { type Graph, GraphBuilder, modelOf } from '@faultline/onnx';
import { dryRun, Session } from '@faultline/ort';
import { buildVictim } from './build-victim.ts';
import { pointOf, runAt } from './testing/points.ts';
import { tinyLaptop } from './testing/tiny-victims.ts';

const BATCH = 3;

/** The graph with the squared length of its gradient by `input` as its output. */
function withPenalty(gradient: Graph, input: string): Graph {
  const g = new GraphBuilder({ prefix: 'penalty/' });
  const ofInput = `grad/${input}`;
  const square = g.reduceSum(g.times(ofInput, ofInput), [0, 1], false);
  g.add('Identity', [square], {}, ['penalty']);
  const { nodes, initializers } = g.graph();
  return {
    ...gradient,
    nodes: [...gradient.nodes, ...nodes],
    initializers: new Map([...gradient.initializers, ...initializers]),
    outputs: [{ name: 'penalty', dataType: 'float32', dims: [] }],
  };
}

describe('a penalty on the gradient of what is heard has gradients by the weights', () => {
  for (const name of ['audio-attention', 'audio-crnn', 'audio-resnet', 'audio-patches', 'decision'] as const) {
    test(name, async () => {
      const victim = buildVictim(tinyLaptop(name));
      const types = await dryRun(victim.graph);
      const first = differentiate({ graph: victim.graph, types, output: 'logits', wrt: ['waveform'] });
      const graph = withPenalty(first, 'waveform');
      const wrt = victim.parameters.map((parameter) => parameter.name);
      const second = differentiate({ graph, types: await dryRun(graph), output: 'penalty', wrt });
      await using session = await Session.create(modelOf(second));
      const outputs = wrt.map((each) => `grad/${each}`);
      for (const [each, values] of await runAt(session, pointOf(victim, BATCH), outputs)) {
        assert.ok(values.every(Number.isFinite) && values.some((value) => value !== 0), each);
      }
    });
  }
});
