import { must } from '@folsom/core';
import type { NameBounds } from './container.ts';
import type { ListedContainer, ListedObject } from './listed.ts';

/** What a listing asks for. Absent parameters are undefined; `path` sets prefix and delimiter. */
export interface ListingQuery {
  limit: number;
  marker: string;
  endMarker?: string;
  prefix?: string;
  delimiter?: string;
  path?: string;
}

/** Byte order of UTF-8, which is SQLite's; JavaScript's own order differs beyond the basic plane. */
export function compareNames(a: string, b: string): number {
  if (!/[\ud800-\udfff]/.test(a) && !/[\ud800-\udfff]/.test(b)) return a < b ? -1 : a > b ? 1 : 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

export interface PreparedListing {
  prefix: string | undefined;
  delimiter: string | undefined;
  path: string | undefined;
}

/** Prefix and delimiter as they work out: `path=x` means the direct children of `x/`. */
export function prepareListing(query: ListingQuery): PreparedListing {
  const { delimiter, path } = query;
  if (path !== undefined) {
    const whole = path === '' ? '' : `${path.replace(/\/+$/, '')}/`;
    return { prefix: whole, delimiter: '/', path: whole };
  }
  if (delimiter && !query.prefix) return { prefix: '', delimiter, path };
  return { prefix: query.prefix, delimiter: delimiter || undefined, path };
}

function boundsOf(marker: string, endMarker: string | undefined, prefix: string | undefined): NameBounds {
  const bounds: NameBounds = {};
  if (endMarker) bounds.before = endMarker;
  if (marker && (prefix === undefined || compareNames(marker, prefix) >= 0)) bounds.after = marker;
  else if (prefix) bounds.from = prefix;
  return bounds;
}

/** Longer than what can follow a prefix in a name, in the character that sorts last. */
const LAST_TAIL = '\u{10ffff}'.repeat(256);

/** The bounds of an undelimited listing, with an end behind the prefix. */
export function plainBounds(query: ListingQuery): NameBounds {
  const bounds = boundsOf(query.marker, query.endMarker, query.prefix);
  return query.prefix ? { ...bounds, upTo: query.prefix + LAST_TAIL } : bounds;
}

type Row = ListedObject | ListedContainer;

/**
 * Lists rows in name order, rolled up at a delimiter. `rowsFrom` reads rows between bounds; `directory` makes the
 * row of a rolled-up name. Each roll-up jumps behind its directory instead of reading through it.
 */
export function listRows<R extends Row>(
  query: ListingQuery,
  rowsFrom: (bounds: NameBounds, limit: number) => Iterable<R>,
  directory: (name: string) => R,
): R[] {
  const { prefix, delimiter, path } = prepareListing(query);
  const results: R[] = [];
  if (query.limit <= 0) return results;
  if (!delimiter || prefix === undefined) {
    for (const row of rowsFrom(boundsOf(query.marker, query.endMarker, prefix), query.limit)) {
      if (prefix && !row[0].startsWith(prefix)) break;
      results.push(row);
    }
    return results;
  }
  let { marker } = query;
  const next = String.fromCodePoint(must(delimiter.codePointAt(0), 'a character has a code') + 1);
  while (results.length < query.limit) {
    let seen = 0;
    let jumped = false;
    const rows: Iterable<R> = rowsFrom(
      boundsOf(marker, query.endMarker, prefix),
      query.limit - results.length,
    );
    for (const row of rows) {
      seen++;
      const name: string = row[0];
      marker = name;
      if (results.length >= query.limit || !name.startsWith(prefix)) return results;
      const end = name.indexOf(delimiter, prefix.length);
      if (path !== undefined) {
        if (name === path) continue;
        if (end >= 0 && name.length > end + delimiter.length) {
          marker = name.slice(0, end) + next;
          jumped = true;
          break;
        }
      } else if (end > 0) {
        marker = name.slice(0, end) + next;
        const rolled = name.slice(0, end + delimiter.length);
        if (rolled !== query.marker) results.push(directory(rolled));
        jumped = true;
        break;
      }
      results.push(row);
    }
    if (seen === 0 && !jumped) break;
  }
  return results;
}
