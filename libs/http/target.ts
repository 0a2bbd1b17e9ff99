import { must } from '@folsom/core';
/**
 * The target of a request, made canonical once and before anything decides by it: router, login, policy and log see the same
 * path, and one path has one spelling.
 */
export interface Target {
  path: string;
  /** With its `?`; empty when there is none. As it was sent. */
  query: string;
  /** Host and port of an absolute target: it counts, not the Host header (RFC 9112, 3.2.2). */
  authority: string | null;
}

const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;
const UNRESERVED = /[A-Za-z0-9\-._~]/;
const NEEDS_WORK = /[%\\\u0080-\uffff]/;
const DOUBLED = /\/{2,}/g;

/**
 * Encoded letters, digits and `-._~` become themselves, as RFC 3986 says is the same. Everything else stays encoded: `%2F` is
 * no slash and `%25` is decoded once, by the router. A `%` that begins no byte, a backslash and bytes beyond ASCII get
 * encoded. Dot segments are names like others: nothing here goes up. Slashes in a row are one, as in the original's URL map.
 */
export function canonicalTarget(target: string): Target {
  const absolute = ABSOLUTE.exec(target);
  const [whole = ''] = (absolute ? target.slice(absolute[0].length) : target).split('#', 1);
  const mark = whole.indexOf('?');
  const path = mark < 0 ? whole : whole.slice(0, mark);
  return {
    path: canonicalPath(path === '' ? '/' : path),
    query: mark < 0 ? '' : whole.slice(mark),
    // A name before `@` is nobody's: RFC 9110, 4.2.4.
    authority: absolute
      ? must(absolute[1], 'the pattern has group 1').slice(
          must(absolute[1], 'the pattern has group 1').lastIndexOf('@') + 1,
        )
      : null,
  };
}

function canonicalPath(sent: string): string {
  // A parser lets `*` and what follows it through: no path of ours, but one like any other.
  const rooted = sent.startsWith('/') ? sent : `/${sent}`;
  const path = rooted.includes('//') ? rooted.replace(DOUBLED, '/') : rooted;
  if (!NEEDS_WORK.test(path)) return path;
  return path.replace(/%([0-9a-f]{2})?|\\|[\u0080-\uffff]/gi, (found, hex: string | undefined) => {
    if (hex !== undefined) {
      const character = String.fromCharCode(Number.parseInt(hex, 16));
      return UNRESERVED.test(character) ? character : `%${hex.toUpperCase()}`;
    }
    if (found === '%') return '%25';
    // node reads the bytes of a target as Latin-1.
    return [...Buffer.from(found, 'latin1')]
      .map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join('');
  });
}
