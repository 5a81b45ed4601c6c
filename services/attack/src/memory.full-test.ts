import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { attack } from '@faultline/contracts';
import { type Client, connect } from '@faultline/service-kit';
import { ServiceProcess } from '@faultline/service-kit/testing';
import { read, request, writeVictim } from './testing/linear-attack.ts';
import { memoryOf, slope } from './testing/process-memory.ts';

/** Compilers, heaps and caches fill up first. */
const WARM_UP = 250;
const ATTACKS = 500;
const ATTACKS_A_SAMPLE = 25;

/**
 * What is left of one attack in either process may grow by this. A batch that is not freed is twice as large, a session a hundred times; heaps that
 * have not settled stay below.
 */
const MAX_GROWTH_AN_ATTACK = 24 * 1024;

/** Garbage is collected soon, so that what is kept is told from what has not been collected yet. */
const SMALL_HEAP = { NODE_OPTIONS: '--max-semi-space-size=1 --max-old-space-size=96' };

const MEBIBYTE = 1024 * 1024;

describe('500 attacks in a row', () => {
  let folder: string;
  let inference: ServiceProcess;
  let service: ServiceProcess;
  let client: Client<typeof attack.AttackServiceService>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'attack-'));
    await writeVictim(folder);
    inference = await ServiceProcess.start('inference', {
      ...SMALL_HEAP,
      FAULTLINE_VICTIM_DIR: folder,
      FAULTLINE_THREADS: '1',
    });
    service = await ServiceProcess.start('attack', {
      ...SMALL_HEAP,
      FAULTLINE_VICTIMS: JSON.stringify({ linear: inference.address }),
      FAULTLINE_ARTEFACT_DIR: join(folder, 'artefacts'),
    });
    client = connect(attack.AttackServiceService, service.address);
  });
  after(async () => {
    client.close();
    await service[Symbol.asyncDispose]();
    await inference[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  /** The n-th attack: raw and by reference, PGD and noise, to the end, refused, and left in the middle. */
  async function attackOnce(n: number): Promise<void> {
    const asked = { ...request({ seed: n, attack: n % 3 === 0 ? 'noise' : 'pgd' }) };
    if (n % 2 === 0) asked.delivery = attack.TensorDelivery.TENSOR_DELIVERY_REFERENCE;
    if (n % 7 === 0) {
      await assert.rejects(read(client.attack({ ...asked, modelSha256: '0'.repeat(64) })), {
        code: 'failed_precondition',
      });
    } else if (n % 5 === 0) {
      for await (const _ of client.attack(request({ seed: n, steps: 10_000, restarts: 1_000 }))) break;
    } else {
      assert.equal((await read(client.attack(asked))).kinds.at(-1), 'cost');
    }
  }

  it('leave the memory of both services flat', async (test) => {
    for (let n = 1; n <= WARM_UP; n += 1) await attackOnce(n);
    const processes = { attack: service.pid, inference: inference.pid };
    const samples = { attack: [] as number[], inference: [] as number[] };
    for (let n = 1; n <= ATTACKS; n += 1) {
      await attackOnce(WARM_UP + n);
      if (n % ATTACKS_A_SAMPLE > 0) continue;
      samples.attack.push(await memoryOf(processes.attack));
      samples.inference.push(await memoryOf(processes.inference));
    }
    for (const name of ['attack', 'inference'] as const) {
      const growth = slope(samples[name]) / ATTACKS_A_SAMPLE;
      const [first = Number.NaN] = samples[name];
      const last = samples[name].at(-1) ?? Number.NaN;
      const sizes = [first, last].map((bytes) => (bytes / MEBIBYTE).toFixed(1)).join(' to ');
      test.diagnostic(`${name}: ${sizes} MiB over ${ATTACKS} attacks, ${growth.toFixed(0)} bytes an attack`);
      assert.ok(
        growth < MAX_GROWTH_AN_ATTACK,
        `${name} grows by ${growth.toFixed(0)} bytes an attack: ${samples[name]}`,
      );
    }
  });
});
