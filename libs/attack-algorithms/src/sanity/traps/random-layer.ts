import { elementCount } from '@faultline/contracts';
import { float32, type GraphBuilder } from '@faultline/onnx';
import { exampleDims } from '@faultline/victim';
import { type Replacement, replaceInputs } from './replace-value.ts';
import { logUniform, pick, type Random, still, type Trap, type TrapSetting } from './trap.ts';

/** Amplitudes of the noise, in the unit of each kind of input. */
const AMPLITUDES = { waveform: [1e-4, 1e-3], frames: [1e-3, 1e-2] } as const;
/** How many times as steep as the input itself the noise is. */
const STEEPNESS = [10, 1000] as const;

/** An input's place in the noise: a phase for each coordinate, and a direction on which all phases turn together. */
interface Place {
  readonly dims: readonly number[];
  readonly phases: Float32Array;
  readonly direction: Float32Array;
}

/** Parts of an input that turn together, each by its own direction. */
const PARTS = [1, 2, 4, 8] as const;

/** Angle at which each coordinate's noise stands: the parts' lengths along their directions, turning fast. */
function angles(b: GraphBuilder, value: string, steepness: number, parts: number, place: Place): string {
  const { direction, dims, phases } = place;
  const size = direction.length / parts;
  const along = b.reduceSum(
    b.times(b.reshape(value, [-1, parts, size]), b.constant(float32(direction, [parts, size]))),
    [2],
  );
  const turned = b.plus(b.times(along, b.scalar(steepness)), b.constant(float32(phases, [parts, size])));
  return b.reshape(turned, [-1, ...dims]);
}

/**
 * x' = x + sigma sin(k x + phase): noise of a small amplitude that looks random and is a function of the input, so that the victim
 * says the same twice; few numbers decide it, so that an attack cannot steer it, and whose slope drowns that of the victim.
 */
export function randomLayer({ graph, card }: TrapSetting, random: Random): Trap {
  const parts = pick(random, PARTS);
  const steep = logUniform(random, ...STEEPNESS);
  const noises = card.inputs.flatMap((input) => {
    if (input.kind === undefined) return [];
    const dims = exampleDims(input);
    const size = elementCount(dims);
    const [low, high] = AMPLITUDES[input.kind.$case];
    const sigma = logUniform(random, low, high);
    const phases = Float32Array.from({ length: size }, () => 2 * Math.PI * random());
    const direction = Float32Array.from({ length: size }, () => (random() < 0.5 ? -1 : 1) / Math.sqrt(size / parts));
    return [{ name: input.name, sigma, place: { dims, phases, direction } }];
  });
  const noise = (b: GraphBuilder, value: string, sigma: number, place: Place): string => {
    const angle = angles(b, value, steep / sigma, parts, place);
    return b.times(b.op('Sin', [angle]), b.scalar(sigma));
  };
  const replaced = (seen: (b: GraphBuilder, made: string) => string): ReadonlyMap<string, Replacement> =>
    new Map(
      noises.map(({ name: input, sigma, place }) => [
        input,
        (b: GraphBuilder, value: string) => b.plus(value, seen(b, noise(b, value, sigma, place))),
      ]),
    );
  return {
    masked: replaceInputs(
      graph,
      replaced((_, made) => made),
    ),
    revealed: replaceInputs(graph, replaced(still)),
    logitScale: card.logitScale,
    drawn: `${parts} parts, ${steep.toFixed(0)} times as steep, ${noises.map(({ name: input, sigma }) => `${input} ${sigma.toPrecision(2)}`).join(', ')}`,
  };
}
