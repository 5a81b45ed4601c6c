// OpenTTD's sound catalogues: a table of (offset, length), then of each sound its name and a WAV file. Source: openttd/src/sound.cpp.

const TABLE_ROW_BYTES = 8;
/** The upper bit of the first offset marks the newer form of the format. */
const OFFSET_MASK = 0x7fff_ffff;

/** The WAV file of a sound, by its number. @throws Error when there is no such sound. */
export function readCatalogueSound(catalogue: Buffer, entry: number): Buffer {
  const count = (catalogue.readUInt32LE(0) & OFFSET_MASK) / TABLE_ROW_BYTES;
  if (!(entry < count)) throw new Error(`the catalogue holds ${count} sounds, so there is no number ${entry}`);
  const offset = catalogue.readUInt32LE(entry * TABLE_ROW_BYTES) & OFFSET_MASK;
  const start = offset + 1 + catalogue.readUInt8(offset);
  // The sound's own header says how long it is.
  return catalogue.subarray(start, start + 8 + catalogue.readUInt32LE(start + 4));
}
