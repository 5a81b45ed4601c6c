import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FaultlineProcess, gone } from '../testing/faultline-process.ts';
import { Workbench } from '../testing/workbench.ts';
import { CLIPS_DIR } from '../workspace.ts';

// How a campaign ends that does not reach its end: nothing may be left running.

/** Steps that take far longer than the tests let them, and whose first tenth is soon done. */
const MANY_STEPS = 1_000;
const STOP_MS = 15_000;

let bench: Workbench;
before(async () => {
  bench = await Workbench.create();
});
after(() => bench[Symbol.asyncDispose]());

/** A campaign in the middle of its attack, with the processes that work on it. */
async function underWay() {
  const command = new FaultlineProcess(['campaign', 'run', await bench.campaign(MANY_STEPS), ...bench.folders]);
  await command.written(/late: linf-both/);
  const services = command.services();
  assert.equal(services.length, 4);
  const pids = services.map(({ pid }) => pid);
  const inference = services.find(({ service }) => service === 'services/inference')?.pid ?? 0;
  return { command, pids, inference, [Symbol.dispose]: () => command[Symbol.dispose]() };
}

test('an inference process that is killed ends the campaign with an error that names it and its log', async () => {
  using campaign = await underWay();
  process.kill(campaign.inference, 'SIGKILL');
  assert.equal(await campaign.command.ended, 3);
  const { stderr, stdout } = campaign.command;
  assert.match(
    stderr,
    new RegExp(
      `faultline: service inference \\(late\\) \\(pid ${campaign.inference}\\) ended by SIGKILL; its log is .*inference-late\\.log`,
    ),
  );
  assert.equal(stdout, '');
  await gone(campaign.pids, 0);
});

test('Ctrl-C stops every process and exits 130', async () => {
  using campaign = await underWay();
  campaign.command.signal('SIGINT');
  assert.equal(await campaign.command.ended, 130);
  assert.match(campaign.command.stderr, /faultline: interrupted/);
  await gone(campaign.pids, 0);
});

test('Ctrl-C in an attack on a clip stops every process and exits 130', async () => {
  const clip = join(CLIPS_DIR, 'seen-001.mp4');
  const effort = ['--epsilon', '0.000001', '--steps', '10000'];
  using command = new FaultlineProcess(['attack', clip, ...effort, ...bench.folders]);
  await command.written(/late: linf-waveform/);
  const pids = command.services().map(({ pid }) => pid);
  command.signal('SIGINT');
  assert.equal(await command.ended, 130);
  assert.match(command.stderr, /faultline: interrupted/);
  assert.equal(command.stdout, '');
  await gone(pids, 0);
});

test('services end by themselves when the command is killed', async () => {
  using campaign = await underWay();
  campaign.command.signal('SIGKILL');
  assert.equal(await campaign.command.ended, 'SIGKILL');
  await gone(campaign.pids, STOP_MS);
});
