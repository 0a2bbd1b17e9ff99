import type { RequestContext } from '@folsom/core';
import { boolFromString, integer, isUuidLike, rowId } from '../../domain/values.ts';
import type { Format } from './accept.ts';
import { badRequest } from './faults.ts';
import type { Deps } from './front.ts';

export { boolFromString, integer, isUuidLike, rowId };

/** One request as handlers see it. */
export interface ApiRequest {
  deps: Deps;
  context: RequestContext;
  /** Parts of the path by name; suffixes are gone. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  /** The body as JSON, whatever it came as; undefined without one. */
  body: unknown;
  bodyFormat: Format | undefined;
  format: Format;
  /** `http://host:port/v2`: what links are made from. */
  base: string;
  /** The same without the version, for bookmarks. */
  root: string;
  /** The tenant whose URL this is. */
  projectId: string;
}

export type JsonObject = Record<string, unknown>;

/** What a text, a number or a boolean of a body reads as text; undefined for anything else in its place. */
export function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

export const isObject = (value: unknown): value is JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** `body[key]` when both are objects. */
export function entity(body: unknown, key: string): JsonObject | undefined {
  if (!isObject(body) || !Object.hasOwn(body, key)) return undefined;
  const value = body[key];
  return isObject(value) ? value : undefined;
}

/** A path parameter that must be there. */
export const param = (api: ApiRequest, name: string): string => api.params[name] ?? '';

/** Strings as Folsom measures them for its columns. */
export const NAME_CHARS_MAX = 255;

/** `limit` and `marker` of a listing. @throws 400 for a limit that is none. */
export function pageOf(api: ApiRequest): { limit: number; marker: string | undefined } {
  const max = api.deps.config.osapi_max_limit;
  const marker = api.query.get('marker') ?? undefined;
  const text = api.query.get('limit');
  if (text === null) return { limit: max, marker };
  const limit = integer(text);
  if (limit === undefined) throw badRequest('limit param must be an integer');
  if (limit < 0) throw badRequest('limit param must be positive');
  return { limit: Math.min(max, limit), marker };
}

/** The page of a whole list: `limit` and `offset`, where 0 means no limit. */
export function pageByOffset<T>(api: ApiRequest, items: readonly T[]): T[] {
  const max = api.deps.config.osapi_max_limit;
  const read = (name: string, fallback: number): number => {
    const text = api.query.get(name);
    if (text === null) return fallback;
    const value = integer(text);
    if (value === undefined) throw badRequest(`${name} param must be an integer`);
    if (value < 0) throw badRequest(`${name} param must be positive`);
    return value;
  };
  const offset = read('offset', 0);
  const limit = Math.min(max, read('limit', max) || max);
  return items.slice(offset, offset + limit);
}
