import { LABELS, labelVector } from './labels.ts';
import { Random } from './random.ts';
import { type Geometry, renderFrames, TRAINING_GEOMETRY } from './render-frames.ts';
import { renderSound } from './render-sound.ts';
import { drawPlan, drawScene, drawsFollowing, type Scene, type SceneKind, withMotion } from './scene.ts';
import { type Casting, randomCasting, type Sources } from './sources.ts';
import type { Split } from './splits.ts';

/** A scene as sound and pictures. */
export interface Rendering {
  /** `[32000]`: 2 s at 16 kHz, amplitude in [-1, 1]. */
  readonly waveform: Float32Array<ArrayBuffer>;
  /** RGB bytes, `[frames, 3, height, width]`. */
  readonly frames: Uint8Array<ArrayBuffer>;
}

/** A rendered scene with its labels. Target vectors are 0/1 in the order of `LABELS`. */
export interface Example extends Rendering {
  /** What is heard or seen. */
  readonly targets: Float32Array<ArrayBuffer>;
  readonly audioTargets: Float32Array<ArrayBuffer>;
  readonly visualTargets: Float32Array<ArrayBuffer>;
  /** Independence groups of the events' sounds and pictures; those of the first event's sound come first. */
  readonly groups: readonly string[];
  /** Every source used, background and ambience included. */
  readonly sourceIds: readonly string[];
}

export interface ComposeOptions {
  readonly seed: number;
  readonly index: number;
  /** Vary pitch, level, reverberation, mirroring and colour too. */
  readonly augment: boolean;
  readonly geometry?: Geometry;
}

const castings = new WeakMap<Sources, Map<Split, Casting>>();

/**
 * Example number `index` of an endless, class-balanced sequence: a pure function of (pack, split, options). Each run of 12
 * indices has every class once as its first label.
 */
export function compose(sources: Sources, split: Split, options: ComposeOptions): Example {
  const { seed, index, augment, geometry = TRAINING_GEOMETRY } = options;
  const { scene, heard, seen } = exampleScene(sources, split, { key: `${seed}/${split}`, index, augment });
  return {
    ...renderScene(sources, scene, geometry),
    targets: labelVector([...heard, ...seen]),
    audioTargets: labelVector(heard),
    visualTargets: labelVector(seen),
    groups: eventGroups(scene),
    sourceIds: sceneSources(scene),
  };
}

/** What an example shows, before it is rendered. */
export interface ExampleScene {
  readonly scene: Scene;
  readonly kind: SceneKind;
  readonly heard: readonly string[];
  readonly seen: readonly string[];
  readonly followsSound: boolean;
}

/** @param options `key` names the sequence */
export function exampleScene(
  sources: Sources,
  split: Split,
  { key, index, augment }: { readonly key: string; readonly index: number; readonly augment: boolean },
): ExampleScene {
  const random = new Random(`${key}/${index}`);
  const plan = drawPlan(firstLabel(key, index), augment, random.stream('plan'));
  const followsSound = drawsFollowing(plan.kind, random.stream('motion'));
  const scene = withMotion(drawScene(plan, castingOf(sources, split), random), followsSound);
  return {
    scene,
    kind: plan.kind,
    heard: scene.events.filter(({ sound }) => sound).map(({ label }) => label),
    seen: scene.events.filter(({ picture }) => picture).map(({ label }) => label),
    followsSound,
  };
}

export function renderScene(sources: Sources, scene: Scene, geometry: Geometry): Rendering {
  const { waveform, envelopes } = renderSound(sources, scene);
  return { waveform, frames: renderFrames(sources, scene, envelopes, geometry) };
}

export function eventGroups(scene: Scene): string[] {
  const groups = scene.events.flatMap(({ sound, picture }) => [sound?.group, picture?.group]);
  return [...new Set(groups.filter((group) => group !== undefined))];
}

export function sceneSources(scene: Scene): string[] {
  const events = scene.events.flatMap(({ sound, picture }) => [sound?.id, picture?.id]);
  return [...events.filter((id) => id !== undefined), scene.background.id, scene.noise.id];
}

function firstLabel(key: string, index: number): string {
  const block = Math.floor(index / LABELS.length);
  const order = new Random(`${key}/labels/${block}`).shuffled(LABELS);
  const label = order[index % LABELS.length];
  if (label === undefined) throw new RangeError(`index is ${index}; expected a whole number from 0`);
  return label;
}

function castingOf(sources: Sources, split: Split): Casting {
  const known = castings.get(sources) ?? new Map<Split, Casting>();
  castings.set(sources, known);
  const casting = known.get(split) ?? randomCasting(sources, split);
  known.set(split, casting);
  return casting;
}
