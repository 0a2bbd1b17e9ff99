import { invalid } from '../faults.ts';
import { IDENTITY_LIMITS } from '../limits.ts';

/** The original turns `-` and `:` in the names of fields into `_` when something is created. */
export const normalizeFields = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).map(([key, value]) => [key.replace(/[:-]/g, '_'), value]));

export function requireName(fields: Readonly<Record<string, unknown>>): void {
  const { name } = fields;
  if (name === undefined || name === null || name === '' || name === false || name === 0) {
    throw invalid('Name field is required and cannot be empty');
  }
}

/** A name as it is stored: text, trimmed, of 1 to 64 characters. `what` is `Tenant name` or `User name`. */
export function cleanName(what: string, name: unknown): string {
  if (typeof name !== 'string') throw invalid(`${what} is not a string or unicode`);
  const trimmed = name.trim();
  if (trimmed.length === 0) throw invalid(`${what} cannot be empty.`);
  if (trimmed.length > IDENTITY_LIMITS.nameCharsMax) {
    throw invalid(`${what} should not be greater than ${IDENTITY_LIMITS.nameCharsMax} characters.`);
  }
  return trimmed;
}
