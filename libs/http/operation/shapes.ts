import type { Readable } from 'node:stream';
import Type, { type TObject, type TProperties, type TSchema } from 'typebox';
import type { Says } from './shape.ts';

/** What every part of a shape may say besides its type. */
export interface Spoken {
  /** The service's text, or fault, for what does not fit here. */
  says?: Says;
  description?: string;
}

/** Text of bounded length. */
export const text = (charsMax: number, options: Spoken & { minLength?: number; pattern?: string } = {}) =>
  Type.String({ maxLength: charsMax, ...options });

/**
 * A whole number, or a text of one, as queries and XML bring it and the clients of the time send it in JSON; read as a number.
 * Digits with a sign and blanks around them, nothing else.
 */
export const integer = (options: Spoken & { minimum?: number; maximum?: number } = {}) => {
  const { minimum = -INT_MAX - 1, maximum = INT_MAX, ...spoken } = options;
  return Type.Decode(
    Type.Refine(
      Type.Union([Type.Integer(), Type.String({ pattern: '^\\s*[+-]?\\d{1,15}\\s*$' })], {
        title: 'number',
        ...spoken,
      }),
      value => Number(value) >= minimum && Number(value) <= maximum,
    ),
    value => Number(value),
  );
};

const INT_MAX = 2_147_483_647;

/** Texts, numbers and booleans of an object as text, whatever else there is left out: for pairs that were a form once. */
export const scalarsAsText = (value: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => ['string', 'number', 'boolean'].includes(typeof item))
      .map(([key, item]) => [key, String(item)]),
  );

/** A body that is handed over unread, as a stream; null when none was sent. */
export const stream = () => Type.Unsafe<Readable | null>({ [STREAM]: true });
const STREAM = 'x-stream';
export const isStream = (shape: TSchema | undefined): boolean =>
  shape !== undefined && (shape as Record<string, unknown>)[STREAM] === true;

/** Options of a shape that is asked about a missing body, too, where none is required. */
export const READS_ABSENCE = { 'x-absence': true } as const;
export const readsAbsence = (shape: TSchema | undefined): boolean =>
  shape !== undefined && (shape as Record<string, unknown>)['x-absence'] === true;

/**
 * A body that is described by a shape and handed over as it was sent: the domain first looks whose it is, then reads it with
 * {@link readerOf}.
 */
export const unchecked = (shape: TSchema) => Type.Unknown({ [SHOWN]: shape });
const SHOWN = 'x-shape';
/** The shape that describes a body, checked by the front or not. */
export const describedBy = (shape: TSchema | undefined): TSchema | undefined =>
  (shape as Record<string, TSchema> | undefined)?.[SHOWN] ?? shape;

/** The shape with more attributes in the object at that path: what an extension adds to another operation's body. */
export function withAttributes(shape: TSchema, at: readonly string[], attributes: TProperties): TSchema {
  const { properties } = shape as TObject;
  const [name, ...rest] = at;
  if (!properties) throw new Error('only an object takes more attributes');
  if (name === undefined) return Type.Object({ ...properties, ...attributes }, optionsOf(shape));
  const inner = properties[name];
  if (!inner) throw new Error(`the shape has no ${name}`);
  const changed = withAttributes(inner, rest, attributes);
  const optional = Type.IsOptional(inner) ? Type.Optional(changed) : changed;
  return Type.Object({ ...properties, [name]: optional }, optionsOf(shape));
}

function optionsOf(shape: TSchema): Record<string, unknown> {
  const {
    type: _type,
    properties: _properties,
    required: _required,
    ...options
  } = shape as unknown as Record<string, unknown>;
  return options;
}
