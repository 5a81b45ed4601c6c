import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkGraph, decodeModel, encodeModel, inlineBranches, standardModel } from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import { gradcheck } from '../gradcheck/gradcheck.ts';
import { openWithRuntime } from '../gradcheck/open-with-runtime.ts';
import { inspect } from '../inspect.ts';
import { irregular } from './layers.ts';
import { NETWORKS } from './networks.ts';

describe('whole networks, from their files to gradients that agree with differences', () => {
  for (const { name, model, input } of NETWORKS) {
    test(name, async () => {
      const read = decodeModel(encodeModel(model()));
      checkGraph(read.graph);
      const { graph } = standardModel(read);
      const types = await dryRun(inlineBranches(graph));
      assert.equal(inspect({ graph, types, output: 'loss', wrt: ['x'] }).verdict, 'white-box');
      const report = await gradcheck({
        graph,
        types,
        output: 'loss',
        wrt: ['x'],
        point: new Map([['x', irregular([3, ...input], 77)]]),
        open: openWithRuntime,
      });
      assert.equal(report.outcome, 'agrees', JSON.stringify(report.variables, undefined, 1));
      assert.ok((report.variables[0]?.gradientNorm ?? 0) > 1e-3, 'the gradient is not to vanish');
    });
  }
});
