import type { JsonObject } from './api.ts';

export const isObject = (value: unknown): value is JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

export { scalarText, shown } from '../../domain/values.ts';
