import { must } from '@folsom/core';
import { normalizeTimestamp, timestampOf } from '@folsom/swift';
import { parseHttpDate, quotePath, unquoteBytes, utf8FromBytes } from '@folsom/swift-http';
import type { ProxyCore } from './nodes.ts';
import { type ProxyRequest, subRequest } from './request.ts';

/** The container that older versions go to. */
export const archiveOf = (versions: string): string =>
  utf8FromBytes(unquoteBytes(must(versions.split('/')[0], 'a split has a first part'))) ?? '';

/** Beginning of the names of an object's versions: its length in three hexadecimal digits, and itself. */
export const versionPrefix = (object: string): string =>
  `${Buffer.byteLength(object).toString(16).padStart(3, '0')}${object}/`;

/** The request that copies what is there now to the archive, and where it goes. */
export function archiving(
  core: ProxyCore,
  request: ProxyRequest,
  at: { account: string; container: string; object: string },
  versions: string,
  present: { timestamp?: string; headers: Map<string, string> },
): { copy: ProxyRequest; container: string; object: string } {
  const timestamp =
    present.timestamp ??
    timestampOf(parseHttpDate(present.headers.get('last-modified') ?? '') ?? core.world.clock.now());
  const container = archiveOf(versions);
  const object = `${versionPrefix(at.object)}${normalizeTimestamp(timestamp)}`;
  const copy = subRequest(request, {
    method: 'PUT',
    path: `/v1/${at.account}/${container}/${object}`,
    headers: new Map([
      ['x-copy-from', quotePath(`/${at.container}/${at.object}`)],
      ['content-length', '0'],
    ]),
    authorize: null,
    versionedCopy: true,
  });
  return { copy, container, object };
}
