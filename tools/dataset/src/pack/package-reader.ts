import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeWav, type Media } from '@faultline/media';
import { SAMPLE_RATE_HZ } from '../decode.ts';
import { readIcon } from './archives/icon-set.ts';
import { readQtResource } from './archives/qt-resources.ts';
import { readCatalogueSound } from './archives/sound-catalogue.ts';
import { readSoundFontSample } from './archives/sound-font.ts';
import { ZipArchive } from './archives/zip.ts';
import type { Origin } from './origin.ts';
import { playPhrase, windowOf } from './phrase.ts';

/** Reads originals out of an unpacked package; archives are opened once. */
export class PackageReader implements AsyncDisposable {
  readonly #root: string;
  readonly #opened = new AsyncDisposableStack();
  readonly #known = new Map<string, Promise<unknown>>();

  constructor(root: string) {
    this.#root = root;
  }

  /** A file, or what a file's place in an archive holds. @throws Error when it is not there. */
  async read(origin: Origin): Promise<Media> {
    switch (origin.kind) {
      case 'file':
        return { path: join(this.#root, origin.member) };
      case 'zip':
        return (await this.#zip(origin.member)).read(origin.inner);
      case 'qt-resource':
        return readQtResource(await this.#member(origin.member), origin.inner);
      case 'icon':
        return readIcon(await this.#member(origin.member), origin.inner);
      case 'catalogue':
        return readCatalogueSound(await this.#member(origin.member), origin.entry);
      case 'sample':
        return readSoundFontSample(await this.#member(origin.member), origin.name);
      case 'phrase': {
        const { phrase } = origin;
        const waveform = await this.#once(phrase.seed, () => playPhrase(phrase, this.#root));
        return encodeWav(windowOf(waveform, phrase.window), SAMPLE_RATE_HZ);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }

  #member(member: string): Promise<Buffer> {
    return this.#once(member, () => readFile(join(this.#root, member)));
  }

  #zip(member: string): Promise<ZipArchive> {
    return this.#once(member, async () => this.#opened.use(await ZipArchive.open(join(this.#root, member))));
  }

  /** Names are members and seeds, each of one kind of value. */
  #once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const known = (this.#known.get(name) as Promise<T> | undefined) ?? make();
    this.#known.set(name, known);
    return known;
  }
}
