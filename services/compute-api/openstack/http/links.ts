import type { ApiRequest } from './request.ts';

export interface Link {
  rel: string;
  href: string;
  type?: string;
}

/** `self` with the version and `bookmark` without it. */
export const linksOf = (api: ApiRequest, collection: string, id: string | number): Link[] => [
  { rel: 'self', href: selfHref(api, collection, id) },
  { rel: 'bookmark', href: bookmarkHref(api, collection, id) },
];

export const selfHref = (api: ApiRequest, collection: string, id: string | number): string =>
  `${api.base}/${api.projectId}/${collection}/${id}`;

const bookmarkHref = (api: ApiRequest, collection: string, id: string | number): string =>
  `${api.root}/${api.projectId}/${collection}/${id}`;

export const bookmark = (api: ApiRequest, collection: string, id: string | number): Link[] => [
  { rel: 'bookmark', href: bookmarkHref(api, collection, id) },
];

/** The `next` link of a full page, or none. */
export function nextLink(
  api: ApiRequest,
  collection: string,
  items: readonly { id: string }[],
): Link[] | undefined {
  const limit = Number(api.query.get('limit') ?? 0);
  const last = items.at(-1);
  if (!limit || limit !== items.length || !last) return undefined;
  const params = [...api.query].filter(([name]) => name !== 'marker');
  const query = [...params, ['marker', last.id]].map(([name, value]) => `${name}=${value}`).join('&');
  return [{ rel: 'next', href: `${api.base}/${api.projectId}/${collection}?${query}` }];
}

/** The last part of a URL's path, which is the id it names. */
export function idFromHref(href: string): string {
  const path = href.split(/[?#]/, 1)[0]!;
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Replaces scheme and host where the operator says so. */
export function withPrefix(url: string, prefix: string | null): string {
  if (!prefix) return url;
  const at = new URL(url);
  const wanted = /^([a-z][a-z0-9+.-]*):\/\/([^/]+)/i.exec(prefix);
  return wanted ? `${wanted[1]}://${wanted[2]}${at.pathname === '/' ? '' : at.pathname}` : url;
}
