import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { addressMap, NamedTargets, targetAddress } from './addresses.ts';
import { loadConfig } from './config.ts';

test('an address is a host with a port, or a target of gRPC', () => {
  for (const address of ['127.0.0.1:5000', 'inference:1', '[::1]:65535', 'dns:///inference:5000', 'unix:/run/a.sock']) {
    assert.equal(targetAddress.parse(address), address);
  }
  for (const address of [
    '',
    'inference',
    'inference:',
    'inference:0',
    'inference:65536',
    '::1:5000',
    'http://a:1',
    'a b:1',
  ]) {
    assert.equal(targetAddress.safeParse(address).success, false, address);
  }
});

test('a map with an address that is none is refused by its name', () => {
  const schema = z.object({ victims: addressMap });
  const victims = { late: '127.0.0.1:5000' };
  assert.deepEqual(loadConfig(schema, { FAULTLINE_VICTIMS: JSON.stringify(victims) }).victims, victims);
  assert.throws(() => loadConfig(schema, { FAULTLINE_VICTIMS: '{"late":"nowhere"}' }), {
    message: /FAULTLINE_VICTIMS=.* is not usable at late: expected host:port/,
  });
});

test('names lead to what was opened for them; an unknown one lists those there are', () => {
  const targets = new NamedTargets('victim', { late: 'b:2', early: 'a:1' }, (address) => ({ address }));
  assert.deepEqual(targets.names, ['late', 'early']);
  assert.equal(targets.get('early').address, 'a:1');
  assert.equal(targets.get('early'), targets.targets[1]);
  assert.throws(() => targets.get('mid'), {
    code: 'not_found',
    message: /victim 'mid' is not configured.*: early, late/,
  });
  assert.throws(() => new NamedTargets('victim', {}, String).get('toString'), { message: /knows: none/ });
});
