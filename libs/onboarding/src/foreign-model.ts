import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { checkGraph, decodeModel, externalDataIn, type Graph, type Model, standardModel } from '@faultline/onnx';
import { sha256Of } from '@faultline/victim-local';

/** An ONNX file that nobody has made a card for. */
export interface ForeignModel {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  /** As the file has it. */
  readonly model: Model;
  /** In standard operators. */
  readonly graph: Graph;
  readonly metadata: ReadonlyMap<string, string>;
  /** Files beside the model that hold weights, relative to its folder. */
  readonly externalFiles: readonly string[];
}

/**
 * Reads a model and the weights in its folder.
 * @throws OnnxError when it cannot be read or does not hang together.
 */
export async function readForeignModel(file: string): Promise<ForeignModel> {
  const bytes = await readFile(file);
  const inFolder = externalDataIn(path.dirname(path.resolve(file)));
  const externalFiles = new Set<string>();
  const model = decodeModel(bytes, {
    external: (location, offset, length) => {
      const data = inFolder(location, offset, length);
      externalFiles.add(location);
      return data;
    },
  });
  checkGraph(model.graph);
  const { graph } = standardModel(model);
  return {
    path: file,
    bytes,
    sha256: sha256Of(bytes),
    model,
    graph,
    metadata: model.metadata,
    externalFiles: [...externalFiles],
  };
}
