/** Stored bytes, named by what they are. */
export interface Artefact {
  /** Lower-case hexadecimal SHA-256 of the bytes, 64 characters. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** A stored artefact with the time that a collector of garbage goes by. */
export interface ListedArtefact extends Artefact {
  /** When these bytes were last put: a put of bytes that are already there renews it. */
  readonly lastPutAt: Date;
}

/** Bytes to store: whole, or in pieces as they come. */
export type ByteSource = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Bytes by their SHA-256. Storing the same bytes twice stores them once; what is stored never changes; several processes may use
 * one store at the same time.
 */
export interface ArtefactStore {
  /** Stores all bytes of the source, or nothing when the source fails. */
  put(source: ByteSource): Promise<Artefact>;
  /** All bytes, checked against their name. @throws ArtefactError `missing`, `damaged` or `malformed`. */
  read(sha256: string): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * The bytes piece by piece. Whether they are what their name says is known at the end only: nothing may rely on a piece before
   * the iteration has ended. @throws ArtefactError `missing`, `damaged` (at the end) or `malformed`.
   */
  stream(sha256: string): AsyncIterable<Uint8Array>;
  /** What is stored under this name, without reading it; undefined when nothing is. @throws ArtefactError `malformed`. */
  stat(sha256: string): Promise<ListedArtefact | undefined>;
  /** Everything that is stored, in no particular order; what comes or goes meanwhile may or may not be seen. */
  list(): AsyncIterable<ListedArtefact>;
  /** Removes the bytes; false when there were none. Readers that are at it finish. @throws ArtefactError `malformed`. */
  remove(sha256: string): Promise<boolean>;
}
