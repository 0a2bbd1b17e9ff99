import type { Problem } from '@folsom/http/operation';
import Type, { type TObject, type TObjectOptions, type TProperties } from 'typebox';
import { fault, invalid, missing } from '../faults.ts';
import { IDENTITY_LIMITS } from '../limits.ts';

const { nameCharsMax, passwordCharsMax } = IDENTITY_LIMITS;

/** A field that is text of bounded length, null or absent. */
export const optionalText = (charsMax: number) =>
  Type.Optional(
    Type.Union([Type.Null(), Type.String({ maxLength: charsMax })], {
      says: ({ path, value }: Problem) => {
        const field = path.at(-1) ?? '';
        return typeof value === 'string'
          ? fault('ValidationSizeError', { attribute: field, size: charsMax })
          : missing(`text as ${field}`);
      },
    }),
  );

/** A name as it is stored: text, trimmed, of 1 to 64 characters. `what` is `Tenant name` or `User name`. */
export const name = (what: string, options: { required?: boolean } = {}) =>
  Type.Decode(
    Type.Refine(
      Type.String({
        says: ({ value }: Problem) => {
          if (options.required && isNothing(value)) return invalid(NAME_REQUIRED);
          if (typeof value !== 'string') return invalid(`${what} is not a string or unicode`);
          if (value.trim() === '') return invalid(`${what} cannot be empty.`);
          return invalid(`${what} should not be greater than ${nameCharsMax} characters.`);
        },
      }),
      value => value.trim() !== '' && value.trim().length <= nameCharsMax,
    ),
    value => value.trim(),
  );

const NAME_REQUIRED = 'Name field is required and cannot be empty';
const isNothing = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || value === false || value === 0;

/** A password to be stored; null means that nobody can log in. */
export const newPassword = Type.Optional(
  Type.Union([Type.Null(), Type.String({ maxLength: passwordCharsMax, pattern: '^[^\\u0000]*$' })], {
    says: ({ value }: Problem) => {
      if (typeof value !== 'string') return missing('text as password', 'user');
      return value.length > passwordCharsMax
        ? fault('ValidationSizeError', { attribute: 'password', size: passwordCharsMax })
        : invalid('Password must not contain a zero character.');
    },
  }),
);

/** What the original does with an object of a body before it looks at the caller's rights or at the object's fields. */
export interface Beforehand {
  /** Turns `-` and `:` in the names of fields into `_`, as it does when something is created. */
  underscored?: true;
  /** Wants a name first. */
  named?: true;
}

/** A body with one object in it, whose unknown fields are kept. */
export const wrapped = <const Key extends string, Fields extends TProperties>(
  key: Key,
  fields: Fields,
  options: Beforehand & TObjectOptions = {},
) =>
  Type.Object({ [key]: Type.Object(fields, options) } as Record<Key, TObject<Fields>>, {
    additionalProperties: false,
  });

/** Looks at an object of a body before its fields are looked at. @throws 400 */
export function beforehand(value: Readonly<Record<string, unknown>>, { named }: Beforehand): void {
  if (named && isNothing(value.name)) throw invalid(NAME_REQUIRED);
}

export const underscored = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).map(([key, value]) => [key.replace(/[:-]/g, '_'), value]));
