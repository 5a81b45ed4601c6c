import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkGraph, decodeModel, type Graph, OnnxError, standardModel, type ValueType } from '@faultline/onnx';
import { damagedFile, seedModels } from '@faultline/onnx/fuzz';
import { dryRun } from '@faultline/ort';
import { inspect } from './inspect.ts';

/** Files tried; about one in six is read and given to the runtime. */
const FILES = 3000;

function graphOf(bytes: Uint8Array): Graph | undefined {
  try {
    const model = decodeModel(bytes);
    checkGraph(model.graph);
    const { graph } = standardModel(model);
    checkGraph(graph);
    return graph;
  } catch (error) {
    if (error instanceof OnnxError) return undefined;
    throw error;
  }
}

async function typesOf(graph: Graph): Promise<ReadonlyMap<string, ValueType> | undefined> {
  try {
    return await dryRun(graph);
  } catch {
    // The runtime refuses in its own words; what matters here is that it does not crash.
    return undefined;
  }
}

test('damaged files that pass the checks crash neither the runtime nor inspection', async () => {
  const models = seedModels();
  let ran = 0;
  for (let seed = 1; seed <= FILES; seed++) {
    const graph = graphOf(damagedFile(seed, models));
    if (graph === undefined) continue;
    const types = await typesOf(graph);
    if (types !== undefined) ran++;
    assert.ok(inspect({ graph, ...(types && { types }) }).verdict, `seed ${seed}`);
  }
  assert.ok(ran > FILES / 20, `only ${ran} ran`);
});
