import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostileMedia } from './hostile-media.ts';
import { HostileService } from './hostile-service.ts';

const FILES = 300;
const WARM_UP_FILES = 100;
/** What a garbage collector may or may not have given back. */
const MEMORY_TOLERANCE_MIB = 60;

test('300 hostile and odd files: never an error of the service, no more memory than before', async () => {
  using service = await HostileService.start();
  await service.withstand(await hostileMedia(WARM_UP_FILES, 2));
  const before = await service.memoryMib();
  const refused = await service.withstand(await hostileMedia(FILES, 3));
  assert.ok(refused > FILES / 2, `only ${refused} were refused`);
  assert.ok(await service.healthy());
  const grown = (await service.memoryMib()) - before;
  assert.ok(grown < MEMORY_TOLERANCE_MIB, `${grown} MiB more than before`);
});
