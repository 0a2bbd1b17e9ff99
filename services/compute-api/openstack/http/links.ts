import { must } from '@folsom/core';
import type { Caller } from './api.ts';

export interface Link {
  rel: string;
  href: string;
  type?: string;
}

/** `self` with the version and `bookmark` without it. */
export const linksOf = (caller: Caller, collection: string, id: string | number): Link[] => [
  { rel: 'self', href: selfHref(caller, collection, id) },
  { rel: 'bookmark', href: bookmarkHref(caller, collection, id) },
];

export const selfHref = (caller: Caller, collection: string, id: string | number): string =>
  `${caller.base}/${caller.tenant}/${collection}/${id}`;

const bookmarkHref = (caller: Caller, collection: string, id: string | number): string =>
  `${caller.root}/${caller.tenant}/${collection}/${id}`;

export const bookmark = (caller: Caller, collection: string, id: string | number): Link[] => [
  { rel: 'bookmark', href: bookmarkHref(caller, collection, id) },
];

/** The `next` link of a full page, or none. */
export function nextLink(
  caller: Caller,
  collection: string,
  items: readonly { id: string }[],
): Link[] | undefined {
  const query = new URLSearchParams(caller.search);
  const limit = Number(query.get('limit') ?? 0);
  const last = items.at(-1);
  if (!limit || limit !== items.length || !last) return undefined;
  const params = [...query].filter(([name]) => name !== 'marker');
  const next = [...params, ['marker', last.id]].map(([name, value]) => `${name}=${value}`).join('&');
  return [{ rel: 'next', href: `${caller.base}/${caller.tenant}/${collection}?${next}` }];
}

/** The last part of a URL's path, which is the id it names. */
export function idFromHref(href: string): string {
  const path = must(href.split(/[?#]/, 1)[0], 'a split has a first part');
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Replaces scheme and host where the operator says so. */
export function withPrefix(url: string, prefix: string | null): string {
  if (!prefix) return url;
  const at = new URL(url);
  const wanted = /^([a-z][a-z0-9+.-]*):\/\/([^/]+)/i.exec(prefix);
  return wanted ? `${wanted[1]}://${wanted[2]}${at.pathname === '/' ? '' : at.pathname}` : url;
}
