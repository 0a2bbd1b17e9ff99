import { must } from '@folsom/core';
import { normalizeTimestamp, timestampOf } from '@folsom/swift';
import { parseHttpDate, quotePath, unquoteBytes, utf8FromBytes } from '@folsom/swift-http';
import { LIMIT } from './constraints.ts';
import type { ProxyCore } from './nodes.ts';
import { type ProxyRequest, subRequest } from './request.ts';

/** The container that older versions go to; null where X-Versions-Location names none that there could be. */
export function archiveOf(versions: string): string | null {
  const name = utf8FromBytes(unquoteBytes(must(versions.split('/')[0], 'a split has a first part'))) ?? '';
  return name === '' || name.includes('/') || Buffer.byteLength(name) > LIMIT.containerName ? null : name;
}

/** Beginning of the names of an object's versions: its length in three hexadecimal digits, and itself. */
export const versionPrefix = (object: string): string =>
  `${Buffer.byteLength(object).toString(16).padStart(3, '0')}${object}/`;

/** The request that copies what is there now to the archive, and where it goes; null without an archive. */
export function archiving(
  core: ProxyCore,
  request: ProxyRequest,
  at: { account: string; container: string; object: string },
  versions: string,
  present: { timestamp?: string; headers: Map<string, string> },
): { copy: ProxyRequest; container: string; object: string } | null {
  const container = archiveOf(versions);
  if (container === null) return null;
  const timestamp =
    present.timestamp ??
    timestampOf(parseHttpDate(present.headers.get('last-modified') ?? '') ?? core.world.clock.now());
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
