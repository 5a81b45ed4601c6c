import { OnboardingError } from './onboarding-error.ts';

/** Something to know about a model. */
export interface Question {
  /** The input that it is about; undefined: the model. */
  readonly input?: string;
  readonly field: string;
  /** The question, for people. */
  readonly text: string;
  /** Why the default is what it is, or why there is none. */
  readonly why: string;
  readonly default?: string;
  /** The graph itself says so: it is not asked. */
  readonly certain?: boolean;
  readonly choices?: readonly string[];
}

/** Asks a person; an empty answer takes the default. */
export type Prompt = (question: Question) => Promise<string>;

export interface AnswersOptions {
  /** FIELD=VALUE or INPUT.FIELD=VALUE, as given on the command line. */
  readonly given?: readonly string[];
  /** Asks what is not given; undefined: nobody is there to ask. */
  readonly prompt?: Prompt | undefined;
  /** Whether defaults are taken without asking. */
  readonly defaults: 'accepted' | 'asked';
}

/** What was decided, and on whose word. */
export interface Decision {
  readonly key: string;
  readonly value: string;
  readonly from: 'given' | 'the graph' | 'asked' | 'default';
  readonly why: string;
}

const keyOf = ({ input, field }: Question) => (input === undefined ? field : `${input}.${field}`);

/** Answers to questions: given ones, those that the graph answers itself, people's, or defaults. */
export class Answers {
  readonly #given = new Map<string, string>();
  readonly #used = new Set<string>();
  readonly #asked = new Set<string>();
  readonly #missing: Question[] = [];
  readonly #options: AnswersOptions;
  readonly decisions: Decision[] = [];

  /** @throws OnboardingError when something given is no KEY=VALUE. */
  constructor(options: AnswersOptions) {
    this.#options = options;
    for (const text of options.given ?? []) {
      const at = text.indexOf('=');
      if (at < 1) throw new OnboardingError(`--set ${text}: write FIELD=VALUE, or INPUT.FIELD=VALUE`);
      const key = text.slice(0, at);
      if (this.#given.has(key)) throw new OnboardingError(`--set ${key} is given twice`);
      this.#given.set(key, text.slice(at + 1));
    }
  }

  /**
   * The answer to a question.
   * @throws OnboardingError when nobody is there to ask and there is no default, or the answer is none of the choices.
   */
  async get(question: Question): Promise<string> {
    const key = keyOf(question);
    this.#asked.add(key);
    const [value, from] = await this.#find(question, key);
    if (question.choices !== undefined && !question.choices.includes(value))
      throw new OnboardingError(`--set ${key}=${value}: give one of ${question.choices.join(', ')}`);
    this.decisions.push({ key, value, from, why: question.why });
    return value;
  }

  /** As `get`, a finite number. */
  async number(question: Question, least = Number.NEGATIVE_INFINITY): Promise<number> {
    const text = await this.get(question);
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < least) {
      const bound = Number.isFinite(least) ? ` of at least ${least}` : '';
      throw new OnboardingError(`--set ${keyOf(question)}=${text}: give a number${bound}`);
    }
    return value;
  }

  /** As `number`, whole and at least 1. */
  async count(question: Question): Promise<number> {
    const value = await this.number(question, 1);
    if (!Number.isInteger(value)) throw new OnboardingError(`--set ${keyOf(question)}=${value}: give a whole number`);
    return value;
  }

  /** As `get`, numbers separated by colons. */
  async numbers(question: Question): Promise<number[]> {
    const text = await this.get(question);
    const values = text.split(':').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
    if (!values.every(Number.isFinite))
      throw new OnboardingError(`--set ${keyOf(question)}=${text}: give numbers separated by colons`);
    return values;
  }

  async #find(question: Question, key: string): Promise<[string, Decision['from']]> {
    for (const name of question.input === undefined ? [key] : [key, question.field]) {
      const given = this.#given.get(name);
      if (given === undefined) continue;
      this.#used.add(name);
      return [given, 'given'];
    }
    const fallback = question.default;
    if (question.certain === true && fallback !== undefined) return [fallback, 'the graph'];
    if (fallback !== undefined && this.#options.defaults === 'accepted') return [fallback, 'default'];
    if (this.#options.prompt !== undefined) {
      const answer = (await this.#options.prompt(question)).trim();
      if (answer !== '') return [answer, 'asked'];
      if (fallback !== undefined) return [fallback, 'default'];
    }
    this.#missing.push(question);
    if (fallback === undefined) this.#fail();
    return [fallback ?? '', 'default'];
  }

  /** @throws OnboardingError when questions went without an answer, or answers without a question. */
  finish(): void {
    const unused = [...this.#given.keys()].find((key) => !this.#used.has(key));
    if (unused !== undefined)
      throw new OnboardingError(`--set ${unused} answers no question; there are ${[...this.#asked].join(', ')}`);
    if (this.#missing.length > 0) this.#fail();
  }

  #fail(): never {
    const lines = this.#missing.map((question) => {
      const value = question.default ?? question.choices?.join('|') ?? 'VALUE';
      return `  --set '${keyOf(question)}=${value}'  ${question.text} ${question.why}`;
    });
    const allDefault = this.#missing.every((question) => question.default !== undefined);
    const remedy = allDefault ? ' these, or --yes to take them as they stand' : '';
    throw new OnboardingError(`the model does not say all that is needed; give${remedy}:\n${lines.join('\n')}`);
  }
}
