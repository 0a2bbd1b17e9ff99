/**
 * Why a container may not be synced to a URL, in the original's words; null if it may.
 * @param allowedHosts the hosts an operator trusts with this cluster's data
 */
export function syncToProblem(value: string, allowedHosts: readonly string[]): string | null {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/.exec(value);
  const scheme =
    match?.[1]?.toLowerCase() ?? /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(value)?.[1]?.toLowerCase() ?? '';
  if (scheme !== 'http' && scheme !== 'https') {
    return `Invalid scheme '${scheme}' in X-Container-Sync-To, must be "http" or "https".`;
  }
  const path = match?.[3] ?? '';
  if (!path) return 'Path required in X-Container-Sync-To';
  if (match?.[4] || match?.[5] || path.split('/').at(-1)!.includes(';')) {
    return 'Params, queries, and fragments not allowed in X-Container-Sync-To';
  }
  const host = match![2]!.replace(/^.*@/, '').replace(/:\d*$/, '').toLowerCase();
  if (!allowedHosts.includes(host)) return `Invalid host '${host}' in X-Container-Sync-To`;
  return null;
}
