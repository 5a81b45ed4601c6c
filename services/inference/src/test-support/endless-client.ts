import { RemoteVictim } from '@faultline/victim-grpc';
import { planOf } from './programs.ts';

/** A client that steps until it is killed; says a word when it has begun. */
const victim = new RemoteVictim(process.argv[2] ?? '');
const loop = await victim.open(planOf(), {});
const size = Float32Array.of(0.1, 0.2);
for (let step = 0; ; step++) {
  await loop.step({ steps: 1, parameters: { size } });
  if (step === 0) process.stdout.write('stepping\n');
}
