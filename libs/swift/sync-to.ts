import { must } from '@folsom/core';
/** Where account, container and object servers listen unless told otherwise; they ask nobody who he is. */
export const STORAGE_PORTS: readonly number[] = [6000, 6001, 6002];

/**
 * Why a container may not be synced to a URL, in the original's words; null if it may.
 * @param allowedHosts the hosts an operator trusts with this cluster's data, each `host` or `host:port`
 * @param storagePorts ports of storage servers: nobody is sent there, whatever the host
 */
export function syncToProblem(
  value: string,
  allowedHosts: readonly string[],
  storagePorts: Iterable<number> = STORAGE_PORTS,
): string | null {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/.exec(value);
  const scheme =
    match?.[1]?.toLowerCase() ?? /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(value)?.[1]?.toLowerCase() ?? '';
  if (scheme !== 'http' && scheme !== 'https') {
    return `Invalid scheme '${scheme}' in X-Container-Sync-To, must be "http" or "https".`;
  }
  const path = match?.[3] ?? '';
  if (!path) return 'Path required in X-Container-Sync-To';
  if (match?.[4] || match?.[5] || must(path.split('/').at(-1), 'split is not empty').includes(';')) {
    return 'Params, queries, and fragments not allowed in X-Container-Sync-To';
  }
  const place = must(must(match, 'match is there')[2], 'the pattern has group 2')
    .replace(/^.*@/, '')
    .toLowerCase();
  const host = place.replace(/:\d*$/, '');
  const port = Number(/:(\d+)$/.exec(place)?.[1] ?? (scheme === 'https' ? 443 : 80));
  const allowed = allowedHosts.some(entry => {
    const wanted = entry.toLowerCase();
    return wanted === host || wanted === `${host}:${port}`;
  });
  if (!allowed || new Set(storagePorts).has(port)) {
    return `Invalid host '${allowed ? place : host}' in X-Container-Sync-To`;
  }
  return null;
}
