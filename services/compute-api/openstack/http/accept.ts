import { must } from '@folsom/core';
export type Format = 'json' | 'xml';

const SUPPORTED: readonly (readonly [type: string, format: Format])[] = [
  ['application/json', 'json'],
  ['application/vnd.openstack.compute+json', 'json'],
  ['application/xml', 'xml'],
  ['application/vnd.openstack.compute+xml', 'xml'],
];
const FORMATS = new Map(SUPPORTED);

export interface AnswerFormat {
  format: Format;
  /** The media type as the answer names it. */
  type: string;
}

const JSON_ANSWER: AnswerFormat = { format: 'json', type: 'application/json' };
const XML_ANSWER: AnswerFormat = { format: 'xml', type: 'application/xml' };

/** The form of the answer: the path's suffix, else the best of Accept, else JSON. */
export function answerFormat(url: string, accept: string | undefined): AnswerFormat {
  const end = url.indexOf('?');
  const path = end < 0 ? url : url.slice(0, end);
  if (path.endsWith('.json')) return JSON_ANSWER;
  if (path.endsWith('.xml')) return XML_ANSWER;
  if (!accept || accept === 'application/json' || accept === '*/*') return JSON_ANSWER;
  return bestMatch(accept) ?? JSON_ANSWER;
}

/** Ranges of an Accept header are few; more are not looked at. */
const RANGES_MAX = 32;

function bestMatch(accept: string): AnswerFormat | undefined {
  const ranges = accept
    .split(',', RANGES_MAX)
    .map(range => {
      const [type = '', ...params] = range.split(';').map(part => part.trim());
      const q = params.find(param => param.startsWith('q='));
      return { type: type.toLowerCase(), quality: q === undefined ? 1 : Number(q.slice(2)) || 0 };
    })
    .filter(range => range.quality > 0);
  let best: AnswerFormat | undefined;
  let bestQuality = 0;
  for (const [type, format] of SUPPORTED) {
    const quality = Math.max(
      0,
      ...ranges.filter(range => covers(range.type, type)).map(range => range.quality),
    );
    if (quality > bestQuality) {
      bestQuality = quality;
      best = { format, type };
    }
  }
  return best;
}

const covers = (range: string, type: string): boolean =>
  range === type || range === '*/*' || (range.endsWith('/*') && type.startsWith(range.slice(0, -1)));

/** The form of a request's body by its Content-Type; undefined for none, text/plain and what is not known. */
export function bodyFormat(contentType: string | undefined): Format | undefined {
  if (contentType === undefined) return undefined;
  return FORMATS.get(must(contentType.split(';', 1)[0], 'a split has a first part').trim().toLowerCase());
}
