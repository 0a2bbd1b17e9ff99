import { parseFloatText } from './timestamps.ts';

/** Statuses with what they mean; 304 is one, too. */
export type Refusals = Readonly<Record<number, string>>;

/** An object's timestamps name its files and are ten digits wide: longer ones would not sort after shorter ones. */
const TIME_END = 10_000_000_000;

function isTime(text: string): boolean {
  const seconds = parseFloatText(text);
  return seconds !== null && seconds >= 0 && seconds < TIME_END;
}

/** What a value of the query or of a header looks like, by the word that the reference has for it. */
const SHAPES = {
  text: () => true,
  /** Seconds since 1970, fractions count. */
  time: isTime,
  /** The same for accounts and containers, however many digits: the original takes whatever Python's float() does. */
  seconds: text => parseFloatText(text) !== null,
  /** A whole number that is not negative. */
  size: text => /^\d{1,16}$/.test(text),
  /** A whole number: sums in a database of another's may be below nothing. */
  sum: text => /^-?\d{1,16}$/.test(text),
  flag: text => /^(true|1|yes|on|t|y|false|0|no|off|f|n)$/i.test(text),
  date: () => true,
  tags: () => true,
  range: () => true,
} as const satisfies Record<string, (text: string) => boolean>;

export type Shape = keyof typeof SHAPES;

/** A shape alone: what makes no sense counts for nothing, or the operation itself says what is wrong. */
export type Field =
  | Shape
  | {
      shape: Shape;
      /** Text of the 400 for one that is missing or has another shape. */
      required: string;
    };

/** By name, headers in lower case; `*` ends a name of any ending. */
export type Fields = Readonly<Record<string, Field>>;

/** One operation of a storage server's. Whoever reaches such a server may do everything there. */
export interface StorageOperation<Run> {
  /** In the reference; unique in the server. */
  name: string;
  about: string;
  method: string;
  /** The last name may end in `?` (may be missing), `+` (takes the rest, slashes too) or `*` (both). */
  path: string;
  query?: Fields;
  headers?: Fields;
  /** What the body is, where one is read. */
  body?: string;
  /** Status of the answer when all went well. */
  answers: readonly number[];
  /** What is answered instead, by status, beside what any operation may answer. */
  refuses?: Refusals;
  run: Run;
}

/** What any operation of a storage server may answer. */
export const ANY_STORAGE_REFUSES: Refusals = {
  400: 'a path, a header or a body that makes no sense',
  404: 'not here',
  503: 'locked by another for too long',
  507: 'the device is not mounted, full or broken',
};

/** Whether an operation may answer that. */
export const mayAnswer = (
  { answers, refuses = {} }: Pick<StorageOperation<unknown>, 'answers' | 'refuses'>,
  status: number,
  any: Refusals = ANY_STORAGE_REFUSES,
): boolean => answers.includes(status) || Object.hasOwn(refuses, status) || Object.hasOwn(any, status);

export const shapeOf = (field: Field): Shape => (typeof field === 'string' ? field : field.shape);

const fits = (shape: Shape, text: string): boolean => SHAPES[shape](text);

/** Why the values of a request do not do, as declared; null if they do. */
export function missingOf(fields: Fields, value: (name: string) => string | undefined): string | null {
  for (const [name, field] of Object.entries(fields)) {
    if (typeof field === 'string') continue;
    const text = value(name);
    if (text === undefined || !fits(field.shape, text)) return field.required;
  }
  return null;
}
