import type { IncomingMessage } from 'node:http';
import { must } from '@folsom/core';

/**
 * Keystone's URLs carry tokens (`/v2.0/tokens/TOKEN`). They are taken out before anything else sees the request, so that
 * no log, metric or error can show one.
 */
const PATTERN = /^(\/v2\.0\/tokens\/)([^/]+)((?:\/endpoints)?)$/;

/** Stands in the URL where the token stood. */
const TOKEN_PLACE = '-';

const taken = new WeakMap<IncomingMessage, string>();

/** Collapses repeated slashes, drops one at the end, and takes a token out of a canonical path. */
export function tidyPath(path: string, request: IncomingMessage): string {
  let tidy = path.includes('//') ? path.replace(/\/{2,}/g, '/') : path;
  if (tidy.length > 1 && tidy.endsWith('/')) tidy = tidy.slice(0, -1);
  const found = PATTERN.exec(tidy);
  if (!found || found[2] === 'revoked') return tidy;
  taken.set(request, decoded(must(found[2], 'the pattern has group 2')));
  return `${found[1]}${TOKEN_PLACE}${found[3]}`;
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
