import type { JsonObject } from './api.ts';

export const isObject = (value: unknown): value is JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** What a text, a number or a boolean of a body reads as text; undefined for anything else in its place. */
export function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** A value of any type as a complaint repeats it. */
export const shown = (value: unknown): string => (scalarText(value) ?? typeof value).slice(0, 255);
