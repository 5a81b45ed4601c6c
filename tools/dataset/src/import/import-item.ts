import type { Split } from '../splits.ts';

/** Where one clip's data lie: a media file, or features of sound and picture. */
export type ItemSource =
  | { readonly kind: 'media'; readonly file: string }
  | { readonly kind: 'features'; readonly audio: string; readonly video: string; readonly row?: number };

/** One labelled clip of a user's own, as its listing describes it. */
export interface ImportItem {
  readonly id: string;
  readonly source: ItemSource;
  readonly labels: readonly string[];
  /** What may not be shared between training and test: a recording, a speaker, a video channel. */
  readonly group: string;
  /** Whether the listing named the group; otherwise it is the clip's own. */
  readonly groupGiven: boolean;
  readonly split?: Split;
  readonly licence: string;
  readonly attribution: string;
  readonly style: string;
}
