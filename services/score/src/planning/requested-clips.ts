import { createHash } from 'node:crypto';
import { score } from '@faultline/contracts';
import { clipMedia } from '../clips/clip-media.ts';
import type { ClipSet } from '../clips/manifest.ts';
import type { Media } from '../inputs/clip-inputs.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import { findClipSet } from './clip-set-choice.ts';
import type { Report } from './violations.ts';

const { LABEL_SOURCE_REQUEST, LABEL_SOURCE_CLIP_SET, LABEL_SOURCE_PREDICTION } = score.LabelSource;

/** A clip of a request for a few clips. */
export interface RequestedClip {
  /** Name in the results. */
  readonly name: string;
  /** Where it stands in the request, for errors: "clips[3]". */
  readonly path: string;
  readonly media: Media;
  /** Empty when they are not known: then each victim's own prediction takes their place. */
  readonly labels: readonly string[];
  readonly labelSource: score.LabelSource;
  /** As the clip set has them; a file is of no stratum, and stands for itself. */
  readonly stratum: string;
  readonly groups: readonly string[];
}

/** What is asked for, as Predict and Score have it. */
export interface ClipRequest {
  readonly set: string;
  readonly clips: readonly score.ClipSource[];
}

const MAX_NAME_LENGTH = 256;

function resolveClip(
  source: score.ClipSource,
  path: string,
  set: ClipSet | undefined,
  report: Report,
): RequestedClip | undefined {
  const { source: from, labels } = source;
  const given = labels.length > 0;
  switch (from?.$case) {
    case 'clipId': {
      const clip = set?.clips.find(({ id }) => id === from.value);
      if (set === undefined || clip === undefined) {
        // An unknown set is reported by itself.
        if (set !== undefined) report(`${path}.clipId`, `'${from.value}' is no clip of the set '${set.name}'`);
        return undefined;
      }
      return {
        name: source.name || clip.id,
        path,
        media: clipMedia(set, clip),
        labels: given ? labels : clip.labels,
        labelSource: given ? LABEL_SOURCE_REQUEST : LABEL_SOURCE_CLIP_SET,
        stratum: clip.stratum,
        groups: clip.groups,
      };
    }
    case 'media': {
      const bytes = from.value;
      if (bytes.length === 0) {
        report(`${path}.media`, 'is empty; give the bytes of a media file');
        return undefined;
      }
      const name = source.name || path;
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      return {
        name,
        path,
        media: { title: `clip '${name}'`, sha256, read: () => Promise.resolve(bytes) },
        labels,
        labelSource: given ? LABEL_SOURCE_REQUEST : LABEL_SOURCE_PREDICTION,
        stratum: '',
        groups: [],
      };
    }
    default:
      report(path, 'has no source; give clip_id or media');
      return undefined;
  }
}

/**
 * Resolves the clips of a request, of which there may be `most`; what is wrong is reported.
 * @throws FaultlineError failed_precondition when a clip set cannot be used.
 */
export async function resolveClips(
  request: ClipRequest,
  most: number,
  clipsDir: string,
  report: Report,
): Promise<RequestedClip[]> {
  const { clips: sources, set: setName } = request;
  if (sources.length === 0 || sources.length > most) {
    report('clips', `has ${sources.length} entries; give 1 to ${most}`);
    return [];
  }
  const needsSet = setName !== '' || sources.some(({ source }) => source?.$case === 'clipId');
  const set = needsSet ? await findClipSet(clipsDir, setName, 'set', report) : undefined;
  const clips = sources.flatMap((source, index) => resolveClip(source, `clips[${index}]`, set, report) ?? []);
  const names = new Set<string>();
  for (const { name, path } of clips) {
    if (name.length > MAX_NAME_LENGTH) {
      report(`${path}.name`, `has ${name.length} characters; give at most ${MAX_NAME_LENGTH}`);
    }
    if (names.has(name)) report(`${path}.name`, `'${name}' is used twice; results are filed by name`);
    names.add(name);
  }
  return clips;
}

/** Labels that a victim lacks are reported, for a goal that it cannot miss means nothing. */
export function checkClipLabels(
  clips: readonly RequestedClip[],
  victims: readonly VictimUnderTest[],
  report: Report,
): void {
  for (const { labels, path } of clips) {
    for (const victim of victims) {
      const unknown = labels.find((label) => !victim.labelIndex.has(label));
      if (unknown !== undefined) report(`${path}.labels`, `'${unknown}' is no label of victim '${victim.name}'`);
    }
  }
}

/** A clip as results name it. */
export function resolvedClip({ name, media, labels }: RequestedClip): score.ResolvedClip {
  return { name, sha256: media.sha256, labels: [...labels] };
}
