import type { IncomingHttpHeaders } from 'node:http';
import { secretsEqual } from '@folsom/core';
import { fault } from './faults.ts';
import type { Session } from './sessions.ts';

/**
 * A request that changes something comes from a page of this console: by the browser's word about its origin, and, once
 * somebody is logged in, by the token that only our page has read.
 * @throws CrossSite
 */
export function checkSameSite(headers: IncomingHttpHeaders): void {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') throw fault('CrossSite');
  const { origin, host } = headers;
  if (origin === undefined) return;
  if (!URL.canParse(origin) || new URL(origin).host !== hostOf(origin, host)) throw fault('CrossSite');
}

/** @throws CrossSite */
export function checkToken(headers: IncomingHttpHeaders, session: Session): void {
  const sent = headers['x-csrf-token'];
  if (typeof sent !== 'string' || !secretsEqual(sent, session.csrf)) throw fault('CrossSite');
}

/** A Host header as URLs write it: without its protocol's own port. */
function hostOf(origin: string, host: string | undefined): string | undefined {
  const url = `${origin.split(':', 1)[0]}://${host}`;
  return host !== undefined && URL.canParse(url) ? new URL(url).host : undefined;
}
