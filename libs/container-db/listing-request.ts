import { must } from '@folsom/core';
import type { Fields } from '@folsom/swift';
import { type AnsweredRequest, answer, queryParameter, type ServerResponse } from '@folsom/swift-http';
import type { ListingQuery } from './listing-rows.ts';
import type { DbKindName } from './schema.ts';

const LISTING_LIMIT = 10_000;

const TYPES = ['text/plain', 'application/json', 'application/xml', 'text/xml'] as const;
export type ListingType = (typeof TYPES)[number];

const OF_ACCOUNTS = {
  prefix: 'text',
  delimiter: 'text',
  marker: 'text',
  end_marker: 'text',
  limit: 'size',
  format: 'text',
} as const satisfies Fields;

/** The query of a listing. Containers alone have directories. */
export const LISTING_FIELDS: Readonly<Record<DbKindName, Fields>> = {
  account: OF_ACCOUNTS,
  container: { path: 'text', ...OF_ACCOUNTS },
};

/** Reads the query of a listing; an answer when it asks for something impossible. */
export function readListingQuery(
  query: string,
  request: AnsweredRequest,
  kind: DbKindName,
): ListingQuery | ServerResponse {
  const values: Record<string, string | undefined> = {};
  if (query !== '') {
    for (const name of Object.keys(LISTING_FIELDS[kind])) {
      const value = queryParameter(query, name);
      if (value === null)
        return answer(400, request, { body: 'parameters not utf8', contentType: 'text/plain' });
      values[name] = value;
    }
  }
  const { delimiter, limit: given } = values;
  if (
    delimiter &&
    ([...delimiter].length > 1 || must(delimiter.codePointAt(0), 'a character has a code') > 254)
  ) {
    return answer(412, request, { body: 'Bad delimiter' });
  }
  let limit = LISTING_LIMIT;
  if (given && /^\d+$/.test(given)) {
    limit = Number(given);
    if (limit > LISTING_LIMIT) return answer(412, request, { body: `Maximum limit is ${LISTING_LIMIT}` });
  }
  return {
    limit,
    marker: values.marker ?? '',
    ...(values.end_marker === undefined ? {} : { endMarker: values.end_marker }),
    ...(values.prefix === undefined ? {} : { prefix: values.prefix }),
    ...(delimiter === undefined ? {} : { delimiter }),
    ...(values.path === undefined ? {} : { path: values.path }),
  };
}

/** The type a listing is answered in: `format=` decides, else `Accept`. What makes no sense there counts for nothing. */
export function listingType(query: string, request: AnsweredRequest): ListingType {
  const format = query === '' ? undefined : queryParameter(query, 'format');
  if (format) {
    const wanted = format.toLowerCase();
    return wanted === 'json' ? 'application/json' : wanted === 'xml' ? 'application/xml' : 'text/plain';
  }
  const accept = request.headers.get('accept');
  if (accept === undefined || accept.trim() === '') return 'text/plain';
  const ranges: { type: string; quality: number }[] = [];
  for (const part of accept.split(',')) {
    const [type = '', ...parameters] = part.split(';').map(text => text.trim());
    if (type === '') continue;
    const q = parameters.find(text => /^q=/.test(text));
    const quality = q === undefined ? 1 : Number(q.slice(2));
    ranges.push({
      type: type.toLowerCase(),
      quality: Number.isNaN(quality) ? 1 : Math.min(1, Math.max(0, quality)),
    });
  }
  let best: ListingType = 'text/plain';
  let bestQuality = 0;
  for (const type of TYPES) {
    for (const range of ranges) {
      const [major, minor] = range.type.split('/');
      const [ours, kind] = type.split('/');
      const matches =
        range.type === '*' ||
        (major === '*' && minor === '*') ||
        (major === ours && (minor === '*' || minor === kind));
      if (matches && range.quality > bestQuality) {
        best = type;
        bestQuality = range.quality;
      }
    }
  }
  return best;
}
