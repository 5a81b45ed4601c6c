import { LABELS } from './labels.ts';
import { drawPlacement, drawTravel, type PicturePlacement, type Travel } from './picture-placement.ts';
import type { Random } from './random.ts';
import { drawSoundPlacement, type SoundPlacement } from './sound-placement.ts';
import type { Casting } from './sources.ts';

/** Scenes last 2 s. */
export const SCENE_SECONDS = 2;

/** One event: heard, seen, or both. */
export interface SceneEvent {
  readonly label: string;
  readonly sound: (SoundPlacement & { readonly id: string; readonly group: string }) | undefined;
  readonly picture: (PicturePlacement & { readonly id: string; readonly group: string }) | undefined;
}

/** Everything that decides a clip, independent of resolution and frame rate. */
export interface Scene {
  readonly events: readonly SceneEvent[];
  readonly background: Travel & { readonly id: string };
  readonly noise: { readonly id: string /** Where it starts, as a share of its length. */; readonly start: number };
  /** Mean level of the events over the ambience. */
  readonly snrDb: number;
  /** Root mean square of the loudest event while it sounds, in dB of full scale. */
  readonly levelDb: number;
}

/** `single`: one event heard and seen; `pair`: two; `disagree`: the first label only heard, the second only seen. */
export type SceneKind = 'single' | 'pair' | 'disagree';

export interface ScenePlan {
  readonly kind: SceneKind;
  readonly labels: readonly string[];
  /** Vary pitch, level, reverberation, mirroring and colour too. */
  readonly augment: boolean;
}

const DISAGREE_SHARE = 0.1;
/** Clips whose pictures move with the loudness of their sounds. */
const FOLLOWING_SHARE = 0.5;
const PAIR_SHARE = 1 / 3;
const SNR_DB = [5, 25] as const;
const AUGMENTED_LEVEL_DB = [-32, -14] as const;
const PLAIN_LEVEL_DB = -22;
/** The second event of a pair is up to this much louder or quieter. */
const PAIR_LEVEL_SPREAD_DB = 6;

/** The kind and labels of a random scene whose first label is given. */
export function drawPlan(first: string, augment: boolean, random: Random): ScenePlan {
  const chance = random.next();
  const second = random.pick(LABELS.filter((label) => label !== first));
  if (chance < DISAGREE_SHARE) {
    // Either may be the one that is heard.
    return { kind: 'disagree', labels: random.chance(0.5) ? [first, second] : [second, first], augment };
  }
  if (chance < DISAGREE_SHARE + PAIR_SHARE) return { kind: 'pair', labels: [first, second], augment };
  return { kind: 'single', labels: [first], augment };
}

/**
 * Whether the pictures of a random scene follow their sounds: half of all scenes do, none of those whose sound and picture
 * disagree, for there is no sound of what is seen.
 */
export function drawsFollowing(kind: SceneKind, random: Random): boolean {
  return kind !== 'disagree' && random.chance(FOLLOWING_SHARE / (1 - DISAGREE_SHARE));
}

/** The scene with all of its pictures following their sounds, or none. */
export function withMotion(scene: Scene, followsSound: boolean): Scene {
  const events = scene.events.map((event) => ({
    ...event,
    picture: event.picture && { ...event.picture, followsSound },
  }));
  return { ...scene, events };
}

/** Fills a plan with sources and placements. Background and ambience are drawn apart from the labels. */
export function drawScene(plan: ScenePlan, casting: Casting, random: Random): Scene {
  const cast = random.stream('cast');
  const { kind, labels, augment } = plan;
  const pictures = kind === 'pair' ? 2 : 1;
  const events = labels.map((label, order): SceneEvent => {
    const heard = kind !== 'disagree' || order === 0;
    const seen = kind !== 'disagree' || order === 1;
    const own = random.stream(`event-${order}`);
    const relativeDb = order === 0 ? 0 : own.between(-PAIR_LEVEL_SPREAD_DB, PAIR_LEVEL_SPREAD_DB);
    return {
      label,
      sound: heard
        ? {
            ...identity(casting.sound(label, cast)),
            ...drawSoundPlacement(label, relativeDb, augment, own.stream('sound')),
          }
        : undefined,
      picture: seen
        ? {
            ...identity(casting.picture(label, cast)),
            ...drawPlacement({ order: kind === 'disagree' ? 0 : order, of: pictures }, augment, own.stream('picture')),
          }
        : undefined,
    };
  });
  const scenery = random.stream('scenery');
  return {
    events,
    background: { id: casting.background(scenery).id, ...drawTravel(augment, scenery) },
    noise: { id: casting.noise(scenery).id, start: scenery.next() },
    snrDb: scenery.between(...SNR_DB),
    levelDb: augment ? scenery.between(...AUGMENTED_LEVEL_DB) : PLAIN_LEVEL_DB,
  };
}

function identity({ id, group }: { id: string; group: string }): { id: string; group: string } {
  return { id, group };
}
