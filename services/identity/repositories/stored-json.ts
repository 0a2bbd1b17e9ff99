import { invalid } from '../faults.ts';
import { IDENTITY_LIMITS } from '../limits.ts';

/** Fields that have no column of their own, as the original keeps them: one JSON object in a text column. */
export type Extra = Record<string, unknown>;

export function readExtra(text: unknown): Extra {
  if (typeof text !== 'string' || text === '') return {};
  const value: unknown = JSON.parse(text);
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Extra) : {};
}

export function writeExtra(extra: Extra): string {
  const text = JSON.stringify(extra);
  if (Buffer.byteLength(text) > IDENTITY_LIMITS.extraBytesMax)
    throw invalid('Too many or too long attributes.');
  return text;
}

/** Splits a document into columns and the rest; `id` and an `extra` of the caller never get into the rest. */
export function splitExtra(document: Readonly<Record<string, unknown>>, columns: readonly string[]): Extra {
  return Object.fromEntries(
    Object.entries(document).filter(([key]) => key !== 'id' && key !== 'extra' && !columns.includes(key)),
  );
}
