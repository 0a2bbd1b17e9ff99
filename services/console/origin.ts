/**
 * Whether a page of this origin may open a console: one of the proxy's own, of the URL that users are given, or of a
 * named further origin. Programs that are no browsers send none.
 */
export function originAllowed(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  if (origin === undefined) return true;
  const url = parse(origin);
  if (url === undefined) return false;
  if (host !== undefined && url.host === hostOf(host, url.protocol)) return true;
  return allowed.some(other => parse(other)?.origin === url.origin);
}

function parse(text: string): URL | undefined {
  try {
    const url = new URL(text);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url : undefined;
  } catch {
    return undefined;
  }
}

/** A Host header as URLs write it: lower case, without its protocol's own port. */
const hostOf = (header: string, protocol: string): string | undefined =>
  parse(`${protocol}//${header}`)?.host;
