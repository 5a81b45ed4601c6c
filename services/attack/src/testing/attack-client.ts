import { attack } from '@faultline/contracts';
import { connect } from '@faultline/service-kit';
import { request } from './linear-attack.ts';

// A client in a process of its own, that starts an attack without end, says so, and may be killed.

const [address, victim] = process.argv.slice(2);
if (address === undefined || victim === undefined) throw new Error('usage: attack-client ADDRESS VICTIM');
const client = connect(attack.AttackServiceService, address);
let started = false;
for await (const { kind } of client.attack({ ...request({ steps: 10_000, restarts: 1_000 }), victim })) {
  if (kind?.$case !== 'progress' || started) continue;
  started = true;
  console.log('started');
}
