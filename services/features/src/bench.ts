import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { features } from '@faultline/contracts';
import { decodeMedia, type InputSpecification } from '@faultline/media';
import { commonConfig, connect, setLogLevel } from '@faultline/service-kit';
import { featuresConfig } from './config.ts';
import { startFeatures } from './start-features.ts';

const USAGE = `How fast media becomes inputs, in seconds of media for each second of one core.

  npm run bench:features -- [--clips DIR] [--rounds N]

  --clips DIR  folder of two-second clips; zoo/clips unless given
  --rounds N   times that all clips are decoded; 5 unless given`;

const CLIP_SECONDS = 2;
const MS_PER_SECOND = 1000;
const MICROSECONDS_PER_MS = 1000;
const MEDIA_FILE = /\.(mp4|webm|mkv|mov)$/;
/** What the reference victims take. */
const SPECIFICATIONS: readonly InputSpecification[] = [
  { kind: 'waveform', sampleRateHz: 16_000, samples: 32_000 },
  { kind: 'frames', frameRateHz: 4, frames: 8, height: 64, width: 64 },
];
const INPUTS = [
  { name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: 32_000 } } },
  { name: 'frames', kind: { $case: 'frames', value: { frameRateHz: 4, frames: 8, height: 64, width: 64 } } },
] satisfies features.ExtractRequest['inputs'];

interface Round {
  /** Processor time of this process, user and system. */
  readonly cpuMs: number;
  readonly wallMs: number;
}

const { values } = parseArgs({
  options: { clips: { type: 'string' }, rounds: { type: 'string' }, help: { type: 'boolean' } },
});
if (values.help) process.stdout.write(`${USAGE}\n`);
else await bench(resolve(values.clips ?? join(import.meta.dirname, '../../../zoo/clips')), Number(values.rounds ?? 5));

async function bench(folder: string, rounds: number): Promise<void> {
  if (!(Number.isInteger(rounds) && rounds >= 1)) throw new Error(`--rounds must be an integer of at least 1`);
  const names = (await readdir(folder)).filter((name) => MEDIA_FILE.test(name)).sort();
  if (names.length === 0) throw new Error(`no media in ${folder}: name a folder of clips with --clips`);
  const clips = await Promise.all(names.map((name) => readFile(join(folder, name))));
  setLogLevel('error');
  process.stdout.write(`${clips.length} clips of ${CLIP_SECONDS} s, ${rounds} rounds after one to warm up\n`);
  const alone = await measure(rounds, clips, async (clip) => {
    await decodeMedia(clip, SPECIFICATIONS);
  });
  report('decoding, by processor time', clips.length, alone, ({ cpuMs }) => cpuMs);
  report('decoding, by the clock', clips.length, alone, ({ wallMs }) => wallMs);
  const served = await measureService(rounds, clips);
  report('Extract over gRPC with one decoder, by the clock', clips.length, served, ({ wallMs }) => wallMs);
}

async function measureService(rounds: number, clips: readonly Buffer[]): Promise<Round[]> {
  const own = featuresConfig.parse({ decoders: 1, spoolDir: tmpdir() });
  await using server = await startFeatures({ ...commonConfig.parse({}), ...own });
  using client = connect(features.FeaturesServiceService, server.address);
  return await measure(rounds, clips, async (media) => {
    await client.extract({ context: undefined, media, inputs: INPUTS, window: undefined });
  });
}

async function measure<Clip>(
  rounds: number,
  clips: readonly Clip[],
  work: (clip: Clip) => Promise<void>,
): Promise<Round[]> {
  const measured: Round[] = [];
  for (let round = 0; round <= rounds; round++) {
    const cpuStart = process.cpuUsage();
    const start = performance.now();
    for (const clip of clips) await work(clip);
    const wallMs = performance.now() - start;
    const { user, system } = process.cpuUsage(cpuStart);
    if (round > 0) measured.push({ cpuMs: (user + system) / MICROSECONDS_PER_MS, wallMs });
  }
  return measured;
}

function report(what: string, clips: number, rounds: readonly Round[], timeMs: (round: Round) => number): void {
  const perClip = rounds.map((round) => timeMs(round) / clips).sort((a, b) => a - b);
  const speed = (ms: number | undefined) => ((CLIP_SECONDS * MS_PER_SECOND) / (ms ?? Number.NaN)).toFixed(0);
  const median = perClip[Math.floor(perClip.length / 2)];
  const [least, most] = [perClip[0], perClip.at(-1)];
  process.stdout.write(
    `${what}: ${speed(median)} x real time (${speed(most)} to ${speed(least)}), ${median?.toFixed(1)} ms a clip\n`,
  );
}
