export { ArtefactError, type ArtefactErrorCode } from './artefact-error.ts';
export type { Artefact, ArtefactStore, ByteSource, ListedArtefact } from './artefact-store.ts';
export { FolderStore } from './folder-store.ts';
export { loadTensor, storeTensor } from './tensor-artefacts.ts';
