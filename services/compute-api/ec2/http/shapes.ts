import { ec2Fault } from './faults.ts';
import { canonicalName, type Given, type GivenTree, listed } from './parameters.ts';

/** How one parameter of an action is read. */
export interface Parameter<Value> {
  /** For generated tests and the reference: what it takes. */
  kind: 'text' | 'id' | 'number' | 'yes or no' | 'list' | 'records';
  required: boolean;
  /** Reads what was given; `name` is for the complaint. */
  read(given: Given, name: string): Value;
  /** What it is when it was not given. */
  absent: Value;
}

export type Shape = Readonly<Record<string, Parameter<unknown>>>;
export type Values<S extends Shape> = {
  [Name in keyof S]: S[Name] extends Parameter<infer Value> ? Value : never;
};

const TEXT_CHARS_MAX = 255;

const invalid = (name: string) => ec2Fault('InvalidParameter', { name });

function textOf(given: Given, name: string, max: number): string {
  if (typeof given !== 'string' || given.length > max || given.includes('\0')) throw invalid(name);
  return given;
}

const optional = <Value>(kind: Parameter<Value>['kind'], read: Parameter<Value>['read']) =>
  ({ kind, required: false, read, absent: undefined }) as Parameter<Value | undefined>;

/** Nothing given and nothing written are the same. */
export const text = (max: number = TEXT_CHARS_MAX): Parameter<string | undefined> =>
  optional('text', (given, name) => {
    const read = textOf(given, name, max);
    return read === '' ? undefined : read;
  });

/** An id of EC2's; what it names is seen when it is looked up. */
export const id = (): Parameter<string | undefined> => ({ ...text(), kind: 'id' });

/** Digits with a sign, or hexadecimal as Folsom takes it. */
export const wholeNumber = (): Parameter<number | undefined> =>
  optional('number', (given, name) => {
    const read = textOf(given, name, 20).trim();
    if (read === '') return undefined;
    const value = /^[+-]?\d{1,15}$/.test(read) || /^0x[0-9a-f]{1,8}$/i.test(read) ? Number(read) : Number.NaN;
    if (Number.isNaN(value)) throw invalid(name);
    return value;
  });

/** `true` and `false`; numbers other than zero are true. */
export const yesOrNo = (): Parameter<boolean | undefined> =>
  optional('yes or no', (given, name) => {
    const read = textOf(given, name, 8).trim().toLowerCase();
    if (read === '' || read === 'none') return undefined;
    if (read === 'true' || /^[1-9]\d*$/.test(read)) return true;
    if (read === 'false' || read === '0') return false;
    throw invalid(name);
  });

/** `Name.1`, `Name.2` … of one text each. */
export const listOf = (max: number = TEXT_CHARS_MAX): Parameter<string[] | undefined> =>
  optional('list', (given, name) => listed(given, name).map(item => textOf(item, name, max)));

/** `Name.1.Field`, `Name.2.Field` …; `inside` stands between number and fields where clients of some versions write it. */
export const recordsOf = <S extends Shape>(fields: S): Parameter<Values<S>[] | undefined> =>
  optional('records', (given, name) =>
    listed(given, name).map(item => valuesOf(fields, treeOf(item, name), name)),
  );

/** `Name.Field`. */
export const recordOf = <S extends Shape>(fields: S): Parameter<Values<S> | undefined> =>
  optional('records', (given, name) => valuesOf(fields, treeOf(given, name), name));

/** A parameter that must be there. */
export const required = <Value>(parameter: Parameter<Value>): Parameter<NonNullable<Value>> => ({
  ...(parameter as Parameter<NonNullable<Value>>),
  required: true,
});

function treeOf(given: Given, name: string): GivenTree {
  if (typeof given === 'string') throw invalid(name);
  return given;
}

/** Reads the parameters of an action; others are nobody's business. @throws Fault `MissingParameter`, `InvalidParameter` */
export function valuesOf<S extends Shape>(shape: S, given: GivenTree, under?: string): Values<S> {
  const values: Record<string, unknown> = {};
  for (const [name, parameter] of Object.entries(shape)) {
    const shown = under === undefined ? name : `${under}.${name}`;
    const found = given.get(canonicalName(name));
    const value = found === undefined ? parameter.absent : parameter.read(found, shown);
    if (parameter.required && (value === undefined || (Array.isArray(value) && value.length === 0))) {
      throw ec2Fault('MissingParameter', { name: shown });
    }
    values[name] = value;
  }
  return values as Values<S>;
}
