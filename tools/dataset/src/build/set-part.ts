import { type ExampleScene, exampleScene } from '../compose.ts';
import type { Sources } from '../sources.ts';
import type { Split, Stratum } from '../splits.ts';

/** A part of a built set. */
export interface BuiltPart {
  readonly name: string;
  readonly split: Split;
  readonly stratum: Stratum | null;
  /** Whose sources it draws. */
  readonly sourceSplit: Split;
  /** Vary pitch, level, reverberation, mirroring and colour too: training only, as usual. */
  readonly augment: boolean;
}

export const BUILT_PARTS = [
  { name: 'train', split: 'train', stratum: null, sourceSplit: 'train', augment: true },
  { name: 'validation', split: 'validation', stratum: null, sourceSplit: 'validation', augment: false },
  { name: 'test-unseen', split: 'test', stratum: 'unseen', sourceSplit: 'test', augment: false },
  { name: 'test-seen', split: 'test', stratum: 'seen', sourceSplit: 'train', augment: false },
] as const satisfies readonly BuiltPart[];

export type PartName = (typeof BUILT_PARTS)[number]['name'];

/** Clips of each part. */
export type PartSizes = Readonly<Record<PartName, number>>;

export const PART_SIZES: PartSizes = { train: 6000, validation: 800, 'test-unseen': 800, 'test-seen': 800 };

export const clipId = (part: string, index: number): string => `${part}-${String(index + 1).padStart(5, '0')}`;

/**
 * The scene of one clip: a pure function of (pack, part, seed, index). The key keeps it apart from what `exampleStream` composes, so
 * that no test clip has been a training example, whatever its seed.
 */
export function sceneOf(sources: Sources, part: BuiltPart, seed: number, index: number): ExampleScene {
  const { sourceSplit, augment } = part;
  return exampleScene(sources, sourceSplit, { key: `${seed}/set/${part.name}`, index, augment });
}
