/** A parameter that takes a number. */
export interface NumberParameter {
  readonly type: 'number';
  /** One sentence, with the unit where there is one. */
  readonly description: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly default: number;
  /** Whole numbers only. */
  readonly whole?: boolean;
}

/** A parameter that takes one of a few words. */
export interface ChoiceParameter<Value extends string = string> {
  readonly type: 'choice';
  readonly description: string;
  readonly values: readonly Value[];
  readonly default: Value;
}

export type ParameterSpec = NumberParameter | ChoiceParameter;

/** The parameters of an attack, by name. */
export type ParameterSpecs = Readonly<Record<string, ParameterSpec>>;

/** One value of each parameter, by name. */
export type ParameterValues = Readonly<Record<string, number | string>>;

/** The values that fit these specifications. */
export type ValuesOf<Specs extends ParameterSpecs> = {
  readonly [Name in keyof Specs]: Specs[Name] extends ChoiceParameter<infer Value> ? Value : number;
};

/** What is wrong with a value, and what to give instead; undefined when it fits. */
export function parameterFault(spec: ParameterSpec, value: number | string): string | undefined {
  if (spec.type === 'choice') {
    const fits = typeof value === 'string' && spec.values.includes(value);
    return fits ? undefined : `is ${JSON.stringify(value)}; give one of ${spec.values.join(', ')}`;
  }
  const { minimum, maximum, whole = false } = spec;
  const fits = typeof value === 'number' && value >= minimum && value <= maximum && (!whole || Number.isInteger(value));
  const kind = whole ? 'a whole number' : 'a number';
  const given = typeof value === 'number' ? `${value}` : JSON.stringify(value);
  return fits ? undefined : `is ${given}; give ${kind} from ${minimum} to ${maximum}`;
}

/** The defaults of these specifications. */
export function defaultValues(specs: ParameterSpecs): Record<string, number | string> {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, spec.default]));
}
