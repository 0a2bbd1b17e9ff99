/** An access list that makes no sense; the message is for the user. */
export class AclError extends Error {
  override readonly name = 'AclError';
}

const REFERRER = new Set(['.r', '.ref', '.referer', '.referrer']);

/** Python's repr() of a byte string, as the original's messages show it. */
const repr = (text: string): string => {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(/[\\\x00-\x1f\x7f-\xff]|'/g, char => {
    if (char === '\\') return '\\\\';
    if (char === "'") return quote === "'" ? "\\'" : "'";
    if (char === '\n') return '\\n';
    if (char === '\r') return '\\r';
    if (char === '\t') return '\\t';
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return quote + body + quote;
};

/**
 * Tidies an access list: items separated by commas, each a group, `account:user`, `.rlistings` or a referrer
 * (`.r:host`, `.r:.domain`, `.r:*`, each with `-` in front to deny).
 * @throws AclError
 */
export function cleanAcl(header: string, value: string): string {
  const out: string[] = [];
  for (const raw of value.split(',').map(item => item.trim())) {
    if (raw === '') continue;
    const colon = raw.indexOf(':');
    if (colon < 0) {
      out.push(raw);
      continue;
    }
    const first = raw.slice(0, colon).trim();
    let second = raw.slice(colon + 1).trim();
    if (!first.startsWith('.')) {
      out.push(raw);
      continue;
    }
    if (!REFERRER.has(first)) throw new AclError(`Unknown designator ${repr(first)} in ACL: ${repr(raw)}`);
    if (header.toLowerCase().includes('write'))
      throw new AclError(`Referrers not allowed in write ACL: ${repr(raw)}`);
    let negate = '';
    if (second.startsWith('-')) {
      negate = '-';
      second = second.slice(1).trim();
    }
    if (second !== '*' && second.startsWith('*')) second = second.slice(1).trim();
    if (second === '' || second === '.') {
      throw new AclError(`No host/domain value after referrer designation in ACL: ${repr(raw)}`);
    }
    out.push(`.r:${negate}${second}`);
  }
  return out.join(',');
}

/** The referrers and the groups of a tidied access list. */
export function parseAcl(acl: string | undefined): { referrers: string[]; groups: string[] } {
  const referrers: string[] = [];
  const groups: string[] = [];
  for (const item of acl ? acl.split(',') : []) {
    if (item.startsWith('.r:')) referrers.push(item.slice(3));
    else groups.push(item);
  }
  return { referrers, groups };
}

/** Whether a request with this Referer header passes a list of referrers; the last item that fits decides. */
export function referrerAllowed(referrer: string | undefined, referrers: readonly string[]): boolean {
  if (!referrers.length) return false;
  const host =
    /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#:]*)/i.exec(referrer ?? '')?.[1]?.toLowerCase() || 'unknown';
  const fits = (pattern: string): boolean =>
    pattern === host || (pattern.startsWith('.') && host.endsWith(pattern));
  let allowed = false;
  for (const item of referrers) {
    if (item.startsWith('-')) {
      if (fits(item.slice(1))) allowed = false;
    } else if (item === '*' || fits(item)) allowed = true;
  }
  return allowed;
}
