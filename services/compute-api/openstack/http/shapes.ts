import type { Fault } from '@folsom/core';
import { must } from '@folsom/core';
import { type Problem, READS_ABSENCE, type Says, type Spoken } from '@folsom/http/operation';
import Type, { type TSchema } from 'typebox';
import { boolFromString, integer } from '../../domain/values.ts';

/** Characters of a column for names. */
export const NAME_CHARS_MAX = 255;

/** Text that fits a column. */
export const name = (says?: Says, options: { minLength?: number; pattern?: string } = {}) =>
  Type.String({ maxLength: NAME_CHARS_MAX, ...options, ...(says === undefined ? {} : { says }) });

/** What a text, a number or a boolean of a body reads as text: bodies of the time mix them. */
export const scalar = (says?: Says) =>
  Type.Decode(
    Type.Union([Type.String(), Type.Number(), Type.Boolean()], says === undefined ? {} : { says }),
    String,
  );

/** The same, within a column. */
export const shortScalar = (says?: Says) =>
  Type.Decode(
    Type.Refine(
      Type.Union([Type.String(), Type.Number(), Type.Boolean()], says === undefined ? {} : { says }),
      value => String(value).length <= NAME_CHARS_MAX,
    ),
    String,
  );

const INT_MAX = 2_147_483_647;

/** Folsom's integer reading: numbers lose their fraction, booleans count, texts are digits with a sign. */
export const wholeNumber = ({
  minimum = -INT_MAX - 1,
  maximum = INT_MAX,
  says,
}: Spoken & {
  minimum?: number;
  maximum?: number;
} = {}) =>
  Type.Decode(
    Type.Refine(
      Type.Union([Type.Number(), Type.Boolean(), Type.String()], says === undefined ? {} : { says }),
      value => {
        const number = integer(value);
        return number !== undefined && number >= minimum && number <= maximum;
      },
    ),
    value => must(integer(value), 'it is an integer'),
  );

/** Anything, read as Folsom reads a boolean: its words for true and numbers but 0. */
export const truth = (says?: Says) =>
  Type.Decode(Type.Unknown(says === undefined ? {} : { says }), boolFromString);

/** Other words for a part that is missing than for one that does not fit. */
export const missingOr =
  (missing: string | (() => Fault), unfit: string | (() => Fault)): Says =>
  ({ value }) => {
    const said = value === undefined ? missing : unfit;
    return typeof said === 'function' ? said() : said;
  };

/** That, or null. */
export const orNull = <Shape extends TSchema>(shape: Shape, options: { says?: Says } = {}) =>
  Type.Union([shape, Type.Null()], options);

/**
 * A part that a function reads: it gives the value, or throws the fault for what it cannot read (undefined where a required
 * part is missing). For what Folsom says in words that depend on the value.
 */
export const readBy = <Value>(read: (value: unknown) => Value, description?: string) => {
  const complaint = (value: unknown): unknown => {
    try {
      read(value);
      return undefined;
    } catch (error) {
      return error;
    }
  };
  const says = ({ value }: Problem) => complaint(value) as Fault;
  const shape = Type.Unknown({
    says,
    ...READS_ABSENCE,
    ...(description === undefined ? {} : { description }),
  });
  return Type.Decode(
    Type.Refine(shape, value => complaint(value) === undefined),
    value => read(value),
  );
};
