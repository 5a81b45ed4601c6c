import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostileMedia } from './hostile-media.ts';
import { HostileService } from './hostile-service.ts';

const FILES = 42;

test('hostile and odd files are taken or refused as the caller’s fault, and the service lives on', async () => {
  using service = await HostileService.start();
  const refused = await service.withstand(await hostileMedia(FILES, 1));
  assert.ok(refused > FILES / 2, `only ${refused} were refused`);
  assert.ok(await service.healthy());
});
