export { RemoteVictim, type RemoteVictimOptions } from './remote-victim.ts';
export { UPLOAD_CHUNK_BYTES } from './row-chunks.ts';
