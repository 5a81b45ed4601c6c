import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseCard } from '@faultline/victim';
import { RemoteVictim } from '@faultline/victim-grpc';
import { countingRelay } from '@faultline/victim-grpc/testing';
import { LocalVictim } from '@faultline/victim-local';
import { median } from '../timing.ts';
import { startInference } from './inference-process.ts';
import { type LoopWork, loopWork, runLoop, runSteps } from './loop-work.ts';

const USAGE = `What it costs that an attack loop runs behind gRPC: the same loop against the inference service and in this process, in turns.

  npm run bench -- [--json] [--clips N] [--steps N] [--rounds N] [--threads N] [--victim DIR]

  --clips N     clips of the batch, each at 4 budgets (8)
  --steps N     steps, each a message of its own (20)
  --rounds N    runs of each kind (9)
  --threads N   threads of one evaluation (all processors)
  --victim DIR  a victim's folder (the reference victim with the fewest multiply-adds)
  --json        one JSON object`;

const VICTIMS = fileURLToPath(new URL('../../../../zoo/victims', import.meta.url));

/** Targets: the share of time that gRPC may add, and bytes of control traffic of a clip's example and step. */
const TARGET_OVERHEAD = 0.1;
const TARGET_BYTES = 1_000;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    clips: { type: 'string', default: '8' },
    steps: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '9' },
    threads: { type: 'string', default: String(availableParallelism()) },
    victim: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function count(name: 'clips' | 'steps' | 'rounds' | 'threads'): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be an integer of at least 1`);
  return value;
}

/** The reference victim whose evaluation is the cheapest: where transport weighs most. */
async function smallestVictim(): Promise<string> {
  const folders = (await readdir(VICTIMS, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const sizes = await Promise.all(
    folders.map(async ({ name }) => {
      const folder = path.join(VICTIMS, name);
      return { folder, macs: parseCard(await readFile(path.join(folder, 'card.json'), 'utf8')).macs };
    }),
  );
  const [smallest] = sizes.sort((a, b) => a.macs - b.macs);
  if (smallest === undefined) throw new Error('there are no reference victims: run `npm run train`');
  return smallest.folder;
}

interface Times {
  readonly localMs: number[];
  readonly remoteMs: number[];
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Runs of both kinds in turns, the order changing from round to round; one of each before does not count. */
async function measure(local: LocalVictim, remote: RemoteVictim, work: LoopWork, rounds: number): Promise<Times> {
  const times: Times = { localMs: [], remoteMs: [] };
  const runs = [
    async () => times.localMs.push(await timed(() => runLoop(local, work))),
    async () => times.remoteMs.push(await timed(() => runLoop(remote, work))),
  ];
  await runLoop(local, work);
  await runLoop(remote, work);
  for (let round = 0; round < rounds; round++) {
    for (const run of round % 2 === 0 ? runs : runs.toReversed()) await run();
  }
  return times;
}

/** Bytes on the wire of an example and step, both ways, with all that gRPC and HTTP/2 add. */
async function controlBytes(address: string, work: LoopWork): Promise<number> {
  await using relay = await countingRelay(address);
  await using victim = new RemoteVictim(relay.address);
  await using loop = await victim.open(work.plan, work.initParameters);
  await loop.step({ steps: 0, parameters: work.stepParameters(0), finish: true });
  const before = relay.traffic.toClient + relay.traffic.toServer;
  await runSteps(loop, work);
  return (relay.traffic.toClient + relay.traffic.toServer - before) / (work.steps * work.examples);
}

async function bench(): Promise<void> {
  const folder = values.victim ?? (await smallestVictim());
  const [threads, clips, steps, rounds] = [count('threads'), count('clips'), count('steps'), count('rounds')];
  await using local = await LocalVictim.fromFolder(folder, { threads });
  const description = await local.describe();
  const work = loopWork(description, clips, steps);
  await using server = await startInference(folder, threads);
  await using remote = new RemoteVictim(server.address);
  const { localMs, remoteMs } = await measure(local, remote, work, rounds);
  const bytes = await controlBytes(server.address, work);
  const overhead = median(remoteMs.map((ms, round) => ms / (localMs[round] ?? ms))) - 1;
  const result = {
    victim: description.card.name,
    runtime: description.runtime,
    threads,
    clips,
    examples: work.examples,
    steps,
    rounds,
    localMs: median(localMs),
    remoteMs: median(remoteMs),
    overhead,
    overheadOfFastest: Math.min(...remoteMs) / Math.min(...localMs) - 1,
    controlBytes: bytes,
    targets: { overhead: TARGET_OVERHEAD, controlBytes: TARGET_BYTES },
  };
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  process.stdout.write(
    values.json
      ? `${JSON.stringify(result, undefined, 2)}\n`
      : [
          `victim ${result.victim}, batch ${work.examples} examples (${clips} clips x ${work.examples / clips} budgets), ${steps} steps, one a message, ${threads} threads`,
          `in this process  ${result.localMs.toFixed(0)} ms, median of ${rounds} (upload and fetch included)`,
          `over gRPC        ${result.remoteMs.toFixed(0)} ms`,
          `overhead         ${percent(overhead)} (of the fastest runs ${percent(result.overheadOfFastest)}); target at most ${percent(TARGET_OVERHEAD)}`,
          `control traffic  ${bytes.toFixed(0)} bytes an example and step; target at most ${TARGET_BYTES}`,
          '',
        ].join('\n'),
  );
}

if (values.help) process.stdout.write(`${USAGE}\n`);
else await bench();
