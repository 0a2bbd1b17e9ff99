import type { FastifyRequest } from 'fastify';
import { plainJson } from './answers.ts';

export interface ServedVersions {
  v1: boolean;
  v2: boolean;
}

const MEDIA_TYPE = 'application/vnd.openstack.images-';

/** `1` or `2` for a version as clients write it, if it is served. */
function majorOf(text: string, served: ServedVersions): 1 | 2 | null {
  if (served.v1 && ['v1', 'v1.0', 'v1.1'].includes(text)) return 1;
  if (served.v2 && ['v2', 'v2.0'].includes(text)) return 2;
  return null;
}

/**
 * The path that begins with the major version, taken from the Accept header's media type or from the path. Requests for no
 * served version keep their path and end at the version document.
 */
export function versionedPath(path: string, accept: string, served: ServedVersions): string {
  const single = path.replace(/^\/{2,}/, '/');
  if (/^\/versions(\/|$)/.test(single)) return path;
  if (accept.startsWith(MEDIA_TYPE)) {
    const major = majorOf(accept.slice(MEDIA_TYPE.length), served);
    // An unknown media type asks for nothing we have, whatever the path says.
    return major === null ? '/versions' : `/v${major}${single}`;
  }
  const [, first = '', rest] = /^\/([^/]*)(\/.*)?$/.exec(single) ?? [];
  const major = majorOf(first, served);
  return major === null ? path : `/v${major}${rest ?? ''}`;
}

/** The list of versions, with links to the address the client used. */
export function versionsDocument(request: FastifyRequest, served: ServedVersions): Buffer {
  const base = `${request.protocol}://${request.headers.host ?? 'localhost'}`;
  const version = (id: string, path: string, status: string) => ({
    id,
    status,
    links: [{ rel: 'self', href: `${base}/${path}/` }],
  });
  return plainJson({
    versions: [
      ...(served.v2 ? [version('v2.0', 'v2', 'CURRENT')] : []),
      ...(served.v1 ? [version('v1.1', 'v1', 'CURRENT'), version('v1.0', 'v1', 'SUPPORTED')] : []),
    ],
  });
}
