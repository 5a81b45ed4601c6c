import { encodePng } from '@faultline/media';
import { type NpyArray, readNpy } from './npy.ts';
import { type SetClip, SetError, type SetManifest } from './set-manifest.ts';
import { shardFile } from './shards.ts';

/** Clips of each label on the sheet: one row a label, in the order of the manifest. */
const CLIPS_A_LABEL = 8;
/** Rows of the sheet at most: AudioSet has 527 labels. */
const MOST_LABELS = 40;
const GAP = 2;
const BACKGROUND = 24;

/** A picture of one clip, RGB. */
interface Tile {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** Clips that show each label, as a PNG: the middle picture of media, the log-mel (time to the right, low bands below) of features. */
export async function contactSheet(folder: string, manifest: SetManifest): Promise<Uint8Array> {
  const rows: Tile[][] = [];
  for (const label of manifest.labels.slice(0, MOST_LABELS)) {
    const own = spread(manifest.clips.filter((clip) => clip.seen.includes(label)));
    const tiles: Tile[] = [];
    for (const clip of own) tiles.push(await tileOf(folder, clip, manifest.kind));
    rows.push(tiles);
  }
  const first = rows.flat()[0];
  if (first === undefined) throw new SetError('there is no clip to show');
  const [cellWidth, cellHeight] = [first.width + GAP, first.height + GAP];
  const [width, height] = [CLIPS_A_LABEL * cellWidth + GAP, rows.length * cellHeight + GAP];
  const rgb = new Uint8Array(width * height * 3).fill(BACKGROUND);
  for (const [row, tiles] of rows.entries()) {
    for (const [column, tile] of tiles.entries()) {
      for (let line = 0; line < tile.height; line++) {
        const to = ((row * cellHeight + GAP + line) * width + column * cellWidth + GAP) * 3;
        rgb.set(tile.rgb.subarray(line * tile.width * 3, (line + 1) * tile.width * 3), to);
      }
    }
  }
  return encodePng({ width, height, rgb });
}

/** Clips from the first to the last at equal distances, so that every split is seen. */
function spread(clips: readonly SetClip[]): SetClip[] {
  const shown = Math.min(CLIPS_A_LABEL, clips.length);
  return Array.from({ length: shown }, (_, at) => Math.floor(((at + 0.5) * clips.length) / shown)).flatMap(
    (place) => clips[place] ?? [],
  );
}

async function tileOf(folder: string, { shard, row }: SetClip, kind: SetManifest['kind']): Promise<Tile> {
  const read = (tensor: string) => readNpy(shardFile(folder, shard, tensor), row);
  return kind === 'media' ? pictureTile(await read('frames')) : heatTile(await read('audio'));
}

/** The middle one of [frames, 3, height, width]. */
function pictureTile({ dims, data }: NpyArray): Tile {
  const [frames = 0, , height = 0, width = 0] = dims;
  const plane = width * height;
  const start = Math.floor(frames / 2) * 3 * plane;
  const rgb = Uint8Array.from(
    { length: 3 * plane },
    (_, at) => data[start + (at % 3) * plane + Math.floor(at / 3)] ?? 0,
  );
  return { width, height, rgb };
}

/** [steps, bands] as grey, from its lowest to its highest value. */
function heatTile({ dims, data }: NpyArray<Float32Array>): Tile {
  const [width = 0, height = 0] = dims;
  const low = data.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = data.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const rgb = new Uint8Array(width * height * 3);
  for (let band = 0; band < height; band++) {
    for (let step = 0; step < width; step++) {
      const share = ((data[step * height + band] ?? low) - low) / Math.max(high - low, Number.MIN_VALUE);
      const at = ((height - 1 - band) * width + step) * 3;
      rgb.fill(Math.round(255 * share), at, at + 3);
    }
  }
  return { width, height, rgb };
}
