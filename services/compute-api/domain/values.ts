/** Folsom's integer reading: digits with a sign, nothing else; undefined when it is none. */
export function integer(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.trunc(value) : undefined;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value !== 'string' || !/^\s*[+-]?\d{1,15}\s*$/.test(value)) return undefined;
  return Number(value);
}

/** `true` for Folsom's true words and non-zero numbers. */
export function boolFromString(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === false) return false;
  if (value === true) return true;
  const number = integer(value);
  if (number !== undefined) return number !== 0;
  return typeof value === 'string' && /^(true|yes|y)$/i.test(value);
}

/** What a text, a number or a boolean of a body reads as text; undefined for anything else in its place. */
export function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** A value of any type as a complaint repeats it. */
export const shown = (value: unknown): string => (scalarText(value) ?? typeof value).slice(0, 255);

/** Row ids are 32-bit; anything else names nothing. */
export function rowId(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= 2_147_483_647 ? value : undefined;
}

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** Whether Folsom takes it for a uuid. */
export const isUuidLike = (value: unknown): value is string => typeof value === 'string' && UUID.test(value);

export { wireBase, wireTime } from '@folsom/nova/rows';
