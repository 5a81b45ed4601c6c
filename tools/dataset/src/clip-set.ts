import { createHash } from 'node:crypto';
import { type ClipForm, encodeClip } from '@faultline/media';
import { CLIPS_PER_ROUND, planClips } from './clip-plan.ts';
import { eventGroups, renderScene, sceneSources } from './compose.ts';
import { SAMPLE_RATE_HZ } from './decode.ts';
import { evenCasting } from './even-casting.ts';
import { LABELS } from './labels.ts';
import { type Attribution, attributionOf, clipLicence, mayShip } from './licensing.ts';
import { Random } from './random.ts';
import type { Geometry } from './render-frames.ts';
import { drawScene, type Scene } from './scene.ts';
import type { Sources } from './sources.ts';
import type { Stratum } from './splits.ts';

export interface ClipRecord {
  readonly id: string;
  readonly file: string;
  readonly sha256: string;
  readonly labels: readonly string[];
  readonly stratum: Stratum;
  /** Sound and picture show the same events. */
  readonly agree: boolean;
  readonly audioLabels: readonly string[];
  readonly visualLabels: readonly string[];
  /** Independence groups of the events' sources; that of the first event's sound comes first. */
  readonly groups: readonly string[];
  /** Styles of the events' pictures: photo, drawing, emoji. */
  readonly styles: readonly string[];
  readonly licence: string;
  readonly attribution: readonly Attribution[];
}

export interface ClipSet {
  readonly name: string;
  readonly version: string;
  readonly sampleRateHz: number;
  readonly frameRateHz: number;
  readonly clips: readonly ClipRecord[];
}

export interface MadeClip {
  readonly record: ClipRecord;
  readonly bytes: Uint8Array;
  readonly edition: Edition;
}

/** Clips of the second edition are listed after all of the first, so that a clip never changes its place. */
export type Edition = 1 | 2;

/** How a clip is written. */
export interface FileForm {
  readonly form: ClipForm;
  /** Files of the first edition do not say how long their last picture is shown. */
  readonly openEnded: boolean;
}

export const CLIP_GEOMETRY: Geometry = { firstSeconds: 0, width: 96, height: 96, frameRateHz: 8, frameCount: 16 };
/** Rounds of 12 clips. A round more leaves those before it as they are. */
const ROUNDS: Readonly<Record<Stratum, number>> = { unseen: 14, seen: 3 };
/** Rounds of the first edition, whose files stay as they are, byte for byte. */
const FIRST_EDITION_ROUNDS: Readonly<Record<Stratum, number>> = { unseen: 8, seen: 2 };
/** Forms of the later clips, in turn. */
const LATER_FORMS: readonly ClipForm[] = ['mp4', 'webm-vp8', 'mp4', 'webm-vp9'];
const SPLIT_OF = { unseen: 'test', seen: 'train' } as const;

/** Composes and encodes all clips of one stratum, from sources that may be shipped. */
export async function* makeClips(sources: Sources, stratum: Stratum): AsyncGenerator<MadeClip, void, void> {
  const random = new Random(`clips/${stratum}`);
  const entries = sources.entries.filter(
    (entry) => sources.splits.get(entry.id) === SPLIT_OF[stratum] && mayShip(entry),
  );
  const casting = evenCasting(entries);
  for (const [at, plan] of planClips(ROUNDS[stratum], random.stream('plan')).entries()) {
    const id = `${stratum}-${String(at + 1).padStart(3, '0')}`;
    const scene = drawScene(plan, casting, random.stream(id));
    const edition = at < FIRST_EDITION_ROUNDS[stratum] * CLIPS_PER_ROUND ? 1 : 2;
    const fileForm = formOf(at, edition);
    const bytes = await encodeScene(sources, scene, fileForm);
    const file = `${id}.${fileForm.form === 'mp4' ? 'mp4' : 'webm'}`;
    yield { record: describe(sources, { id, file, stratum }, scene, bytes), bytes, edition };
  }
}

function formOf(at: number, edition: Edition): FileForm {
  if (edition === 1) return { form: 'mp4', openEnded: true };
  return { form: LATER_FORMS[at % LATER_FORMS.length] ?? 'mp4', openEnded: false };
}

/** A scene as a media file of 96 x 96 pixels. */
export async function encodeScene(sources: Sources, scene: Scene, fileForm: FileForm): Promise<Uint8Array> {
  const { width, height, frameRateHz } = CLIP_GEOMETRY;
  const { waveform, frames } = renderScene(sources, scene, CLIP_GEOMETRY);
  return encodeClip({
    waveform,
    sampleRateHz: SAMPLE_RATE_HZ,
    frames: interleaved(frames, width * height),
    frameRateHz,
    width,
    height,
    ...fileForm,
  });
}

/** `[frames, 3, height, width]` to `[frames, height, width, 3]`. */
function interleaved(planar: Uint8Array, plane: number): Uint8Array {
  const result = new Uint8Array(planar.length);
  for (let at = 0; at < planar.length; at++) {
    const frame = Math.floor(at / (3 * plane));
    const channel = Math.floor(at / plane) % 3;
    result[(frame * plane + (at % plane)) * 3 + channel] = planar[at] ?? 0;
  }
  return result;
}

function describe(
  sources: Sources,
  { id, file, stratum }: Pick<ClipRecord, 'id' | 'file' | 'stratum'>,
  scene: Scene,
  bytes: Uint8Array,
): ClipRecord {
  const used = sceneSources(scene).map((source) => {
    const entry = sources.entries.find((candidate) => candidate.id === source);
    if (entry === undefined) throw new Error(`no source "${source}"`);
    return entry;
  });
  const inOrder = (labels: readonly string[]): string[] => LABELS.filter((label) => labels.includes(label));
  const audioLabels = inOrder(scene.events.filter(({ sound }) => sound).map(({ label }) => label));
  const visualLabels = inOrder(scene.events.filter(({ picture }) => picture).map(({ label }) => label));
  const pictures = scene.events.flatMap(({ picture }) => picture?.id ?? []);
  const styles = used.flatMap(({ id: source, style }) => (pictures.includes(source) ? (style ?? []) : []));
  return {
    id,
    file,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    labels: inOrder([...audioLabels, ...visualLabels]),
    stratum,
    agree: audioLabels.join() === visualLabels.join(),
    audioLabels,
    visualLabels,
    groups: eventGroups(scene),
    styles: [...new Set(styles)].sort(),
    licence: clipLicence(used),
    attribution: [...new Set(used)].map(attributionOf),
  };
}
