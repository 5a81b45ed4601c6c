import { z } from 'zod';

const PREFIX = 'FAULTLINE_';

/** Thrown for a configuration that cannot be used; the message is one line that says which variable and why. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** A boolean variable: 1/true or 0/false. Anything else is an error rather than a silent false. */
export const flag = z.stringbool({ truthy: ['1', 'true'], falsy: ['0', 'false'] });

/** A variable that holds JSON, parsed and checked against `schema`. */
export function jsonOf<Schema extends z.ZodType>(schema: Schema) {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'expected JSON' });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

const MAX_PORT = 65_535;

/** Variables that every service understands. */
export const commonConfig = z.object({
  host: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
  port: z.coerce
    .number()
    .int()
    .min(0)
    .max(MAX_PORT)
    .default(0)
    .describe('Port to listen on; 0 lets the system choose.'),
  traceDir: z
    .string()
    .min(1)
    .optional()
    .describe('Folder for finished spans, one JSON line each; unset: none written.'),
  exitWithParent: flag.default(false).describe('1: drain and exit when standard input closes.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least severe log line that is written.'),
});

export type CommonConfig = z.output<typeof commonConfig>;

type Environment = Readonly<Record<string, string | undefined>>;

/** `victimDir` -> `FAULTLINE_VICTIM_DIR` */
export function variableName(key: string): string {
  return PREFIX + key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/**
 * Reads the variables of `schema` and the common ones. An empty variable counts as unset.
 * @throws ConfigError naming every variable that is unknown, missing or malformed.
 */
export function loadConfig<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  env: Environment = process.env,
): z.output<z.ZodObject<Shape>> & CommonConfig {
  const known = [commonConfig, schema]
    .flatMap(({ shape }) => Object.keys(shape))
    .map(variableName)
    .sort();
  const unknown = Object.keys(env).filter((name) => name.startsWith(PREFIX) && !known.includes(name));
  const problems = unknown.map((name) => `${name} is not a known variable (known: ${known.join(', ')})`);
  const common = commonConfig.safeParse(valuesOf(commonConfig, env));
  const own = schema.safeParse(valuesOf(schema, env));
  problems.push(...problemsOf(common, env), ...problemsOf(own, env));
  if (problems.length > 0 || !common.success || !own.success) throw new ConfigError(oneLine(problems));
  return { ...common.data, ...own.data };
}

/**
 * Reads the variables of `schema` alone, whatever else is set.
 * @throws ConfigError naming every variable that is missing or malformed.
 */
export function readVariables<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  env: Environment,
): z.output<z.ZodObject<Shape>> {
  const result = schema.safeParse(valuesOf(schema, env));
  if (!result.success) throw new ConfigError(oneLine(problemsOf(result, env)));
  return result.data;
}

function valuesOf(schema: z.ZodObject, env: Environment): Record<string, string | undefined> {
  return Object.fromEntries(Object.keys(schema.shape).map((key) => [key, env[variableName(key)] || undefined]));
}

function problemsOf(result: z.ZodSafeParseResult<unknown>, env: Environment): string[] {
  return result.success ? [] : result.error.issues.map((issue) => describeIssue(issue, env));
}

function oneLine(problems: readonly string[]): string {
  return problems.join('; ').replaceAll('\n', ' ');
}

function describeIssue(issue: z.core.$ZodIssue, env: Environment): string {
  const [key, ...rest] = issue.path.map(String);
  if (key === undefined) return issue.message;
  const name = variableName(key);
  const value = env[name];
  if (value === undefined || value === '') return `${name} is required but not set`;
  const place = rest.length > 0 ? ` at ${rest.join('.')}` : '';
  return `${name}=${JSON.stringify(value)} is not usable${place}: ${issue.message}`;
}

/**
 * Rows of a Markdown table `| variable | default | meaning |` for a README. A default that depends on the machine is told in words:
 * `.meta({ description, defaultText: 'all processors' })`.
 */
export function describeConfig(schema: z.ZodObject): string[] {
  return Object.entries(schema.shape).map(
    ([key, field]) => `| \`${variableName(key)}\` | ${defaultOf(field)} | ${metaOf(field, 'description')} |`,
  );
}

function defaultOf(field: z.core.$ZodType): string {
  const words = metaOf(field, 'defaultText');
  if (words !== '') return words;
  const unset = z.safeParse(field, undefined);
  if (!unset.success) return 'required';
  return unset.data === undefined ? '(unset)' : code(unset.data);
}

function code(value: unknown): string {
  return `\`${typeof value === 'object' ? JSON.stringify(value) : String(value)}\``;
}

/** What a field says of itself; a wrapper such as .default() hides it. */
function metaOf(field: z.core.$ZodType, key: 'description' | 'defaultText'): string {
  const own = z.globalRegistry.get(field)?.[key];
  if (typeof own === 'string') return own;
  return field instanceof z.ZodDefault || field instanceof z.ZodOptional ? metaOf(field.unwrap(), key) : '';
}
