import { escapeAll } from '@folsom/wire';
import type { BucketFacts, ObjectFacts } from './buckets.ts';

const NAMESPACE = 'http://doc.s3.amazonaws.com/2006-03-01';

/** `2012-09-27T10:00:00.000Z`, to the second as in Folsom. */
const s3Time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}.000Z`;

const element = (name: string, text: string | number | boolean): string =>
  `<${name}>${escapeAll(String(text))}</${name}>`;

const documentOf = (name: string, content: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="${NAMESPACE}">${content}</${name}>`;

export const bucketsDocument = (buckets: readonly BucketFacts[]): string =>
  documentOf(
    'ListAllMyBucketsResult',
    `<Buckets>${buckets
      .map(
        ({ name, created }) =>
          `<Bucket>${element('CreationDate', s3Time(created))}${element('Name', name)}</Bucket>`,
      )
      .join('')}</Buckets>`,
  );

export interface Listing {
  prefix: string;
  marker: string;
  maxKeys: number;
  /** Names alone. */
  terse: boolean;
}

/** Which of the names, in order, are on a page. */
export function pageOf(
  names: readonly string[],
  { prefix, marker, maxKeys }: Listing,
): { names: string[]; truncated: boolean } {
  const wanted = names.filter(name => name.startsWith(prefix) && name > marker);
  return { names: wanted.slice(0, maxKeys), truncated: wanted.length > maxKeys };
}

export const objectsDocument = (
  bucket: string,
  listing: Listing,
  page: { truncated: boolean; objects: readonly (ObjectFacts | string)[] },
): string => {
  const last = page.objects.at(-1);
  const marker = last === undefined ? listing.marker : typeof last === 'string' ? last : last.name;
  const contents = page.objects.map(one =>
    typeof one === 'string'
      ? `<Contents>${element('Key', one)}</Contents>`
      : `<Contents>${element('Key', one.name)}${element('LastModified', s3Time(one.modified))}${element('Size', one.size)}</Contents>`,
  );
  return documentOf(
    'ListBucketResult',
    [
      element('Name', bucket),
      element('Prefix', listing.prefix),
      element('Marker', marker),
      element('MaxKeys', listing.maxKeys),
      element('IsTruncated', page.truncated),
      ...contents,
    ].join(''),
  );
};
