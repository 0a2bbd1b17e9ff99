import type { IncomingMessage } from 'node:http';

/**
 * Keystone's URLs carry tokens (`/v2.0/tokens/TOKEN`). They are taken out before anything else sees the request, so that
 * no log, metric or error can show one.
 */
const PATTERN = /^(\/v2\.0\/tokens\/)([^/?]+)((?:\/endpoints)?)(\?.*)?$/;

/** Stands in the URL where the token stood. */
export const TOKEN_PLACE = '-';

const taken = new WeakMap<IncomingMessage, string>();

/** Collapses repeated slashes, drops one at the end, and takes a token out of the path. */
export function tidyUrl(request: IncomingMessage): void {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  let path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? '' : url.slice(mark);
  if (path.includes('//')) path = path.replace(/\/{2,}/g, '/');
  if (path.length > 1 && path.endsWith('/')) path = path.slice(0, -1);
  const found = PATTERN.exec(path);
  if (found && found[2] !== 'revoked') {
    taken.set(request, decoded(found[2]!));
    path = `${found[1]}${TOKEN_PLACE}${found[3]}`;
  }
  request.url = path + query;
}

/** The token that was taken out of this request's path. */
export const tokenOfPath = (request: IncomingMessage): string => taken.get(request) ?? '';

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
