import { type Case, type Step, step, type Wanted } from '../suite.ts';

const TEXT = '0123456789';
const ETAG = '781e5e245d69b566979b86e28d23f2c7';
const put = step('PUT', '{c}/o', 201, { body: TEXT, headers: { 'content-type': 'a/b' } });

const part = (text: string, from: number): Wanted => ({
  status: 206,
  text,
  headers: {
    'content-range': `bytes ${from}-${from + text.length - 1}/10`,
    'content-length': String(text.length),
    etag: ETAG,
  },
});
const whole: Wanted = { status: 200, text: TEXT, headers: { 'content-range': null, 'content-length': '10' } };

const RANGES: readonly (readonly [range: string, Wanted])[] = [
  ['bytes=0-0', part('0', 0)],
  ['bytes=2-4', part('234', 2)],
  ['bytes=5-', part('56789', 5)],
  ['bytes=-3', part('789', 7)],
  ['bytes=-9', part('123456789', 1)],
  ['bytes=9-9', part('9', 9)],
  ['bytes=8-100', part('89', 8)],
  ['bytes=10-', 416],
  ['bytes=10-20', 416],
  ['bytes=4-2', { status: [200, 416] }],
  ['bytes=x', whole],
  ['lines=1-2', whole],
  ['bytes 1-2', whole],
  ['bytes=', whole],
];

export const ranges: readonly Case[] = [
  {
    name: 'ranges of an object',
    steps: [put, ...RANGES.map(([range, want]) => step('GET', '{c}/o', want, { headers: { range } }))],
  },
  {
    name: 'a suffix as long as the object, and a longer one',
    steps: [
      put,
      step('GET', '{c}/o', part(TEXT, 0), { headers: { range: 'bytes=-10' } }),
      ...['bytes=-11', 'bytes=-100'].map(range =>
        step('GET', '{c}/o', { status: [200, 206, 416] }, { headers: { range } }),
      ),
      step('PUT', '{c}/empty', 201),
      step('GET', '{c}/empty', { status: [200, 416] }, { headers: { range: 'bytes=0-' } }),
    ],
  },
  {
    name: 'a range only if the object is the one that is meant',
    steps: [
      put,
      step('GET', '{c}/o', part('234', 2), { headers: { range: 'bytes=2-4', 'if-range': ETAG } }),
      step('GET', '{c}/o', whole, { headers: { range: 'bytes=2-4', 'if-range': 'x'.repeat(32) } }),
    ],
  },
];

const LONG_AGO = 'Thu, 27 Sep 2012 10:00:00 GMT';
const LATER = 'Tue, 01 Jan 2999 10:00:00 GMT';
const unchanged: Wanted = { status: 304, text: '' };

const CONDITIONS: readonly (readonly [headers: Record<string, string>, Wanted])[] = [
  [{ 'if-match': ETAG }, whole],
  [{ 'if-match': `"${ETAG}"` }, whole],
  [{ 'if-match': '*' }, whole],
  [{ 'if-match': 'x' }, 412],
  [{ 'if-match': `"x", "${ETAG}"` }, whole],
  [{ 'if-none-match': ETAG }, unchanged],
  [{ 'if-none-match': `"${ETAG}"` }, unchanged],
  [{ 'if-none-match': '*' }, unchanged],
  [{ 'if-none-match': 'x' }, whole],
  [{ 'if-modified-since': LONG_AGO }, whole],
  [{ 'if-modified-since': LATER }, unchanged],
  [{ 'if-modified-since': 'nonsense' }, whole],
  [{ 'if-unmodified-since': LATER }, whole],
  [{ 'if-unmodified-since': LONG_AGO }, 412],
  [{ 'if-unmodified-since': 'nonsense' }, whole],
  [{ 'if-match': ETAG, 'if-modified-since': LATER }, unchanged],
  [{ 'if-none-match': 'x', 'if-unmodified-since': LONG_AGO }, 412],
];

export const conditions: readonly Case[] = [
  {
    name: 'conditions on reading an object',
    steps: [put, ...CONDITIONS.map(([headers, want]) => step('GET', '{c}/o', want, { headers }))],
  },
  {
    name: 'the same of what is not there',
    steps: [
      step('GET', '{c}/none', 412, { headers: { 'if-match': '*' } }),
      step('GET', '{c}/none', 404, { headers: { 'if-none-match': '*' } }),
    ],
  },
  {
    name: 'the newest of all replicas',
    steps: [
      put,
      step('GET', '{c}/o', whole, { headers: { 'x-newest': 'true' } }),
      step('HEAD', '{c}/o', 200, { headers: { 'x-newest': 'yes' } }),
      step('GET', '{c}', 200, { headers: { 'x-newest': 'true' }, eventually: true }),
      step('HEAD', '', 204, { headers: { 'x-newest': 't' } }),
    ],
  },
];

const source: Step = step('PUT', '{c}/from', 201, {
  body: TEXT,
  headers: { 'content-type': 'a/b', 'x-object-meta-one': '1', 'x-object-meta-two': '2' },
});
const copied: Wanted = {
  status: 200,
  text: TEXT,
  headers: { 'content-type': 'a/b', 'x-object-meta-one': '1', 'x-object-meta-two': '2', etag: ETAG },
};

export const copies: readonly Case[] = [
  {
    name: 'COPY and X-Copy-From bring bytes, type and metadata',
    steps: [
      source,
      step(
        'COPY',
        '{c}/from',
        { status: 201, headers: { 'x-copied-from': '{c}/from', etag: ETAG } },
        { headers: { destination: '{c}/to' } },
      ),
      step('GET', '{c}/to', copied),
      step('COPY', '{c}/from', 201, { headers: { destination: '/{c}/to2' } }),
      step('GET', '{c}/to2', copied),
      step(
        'PUT',
        '{c}/to3',
        { status: 201, headers: { 'x-copied-from-last-modified': /GMT$/ } },
        { headers: { 'x-copy-from': '/{c}/from' } },
      ),
      step('GET', '{c}/to3', copied),
      step('PUT', '{c}/a b%c', 201, { headers: { 'x-copy-from': '{c}/from' } }),
      step('PUT', '{c}/to4', 201, { headers: { 'x-copy-from': '{c}/a%20b%25c' } }),
      step('GET', '{c}/to4', copied),
    ],
  },
  {
    name: 'a copy takes new metadata, or only new metadata',
    steps: [
      source,
      step('COPY', '{c}/from', 201, {
        headers: { destination: '{c}/to', 'x-object-meta-two': 'new', 'content-type': 'c/d' },
      }),
      step('HEAD', '{c}/to', {
        status: 200,
        headers: { 'x-object-meta-one': '1', 'x-object-meta-two': 'new', 'content-type': 'c/d' },
      }),
      step('COPY', '{c}/from', 201, {
        headers: { destination: '{c}/to', 'x-fresh-metadata': 'true', 'x-object-meta-three': '3' },
      }),
      step('HEAD', '{c}/to', {
        status: 200,
        headers: { 'x-object-meta-one': null, 'x-object-meta-three': '3' },
      }),
      step('COPY', '{c}/from', 201, { headers: { destination: '{c}/from', 'x-object-meta-two': 'self' } }),
      step('GET', '{c}/from', {
        status: 200,
        text: TEXT,
        headers: { 'x-object-meta-two': 'self', 'x-object-meta-one': '1' },
      }),
    ],
  },
  {
    name: 'copies under conditions and in part',
    steps: [
      source,
      step('COPY', '{c}/from', 201, { headers: { destination: '{c}/to', range: 'bytes=2-4' } }),
      step('GET', '{c}/to', { status: 200, text: '234' }),
      step('COPY', '{c}/from', 412, { headers: { destination: '{c}/to', 'if-match': 'x' } }),
      step('COPY', '{c}/from', 304, { headers: { destination: '{c}/to', 'if-none-match': ETAG } }),
      step('COPY', '{c}/from', 304, { headers: { destination: '{c}/to', 'if-modified-since': LATER } }),
      step('COPY', '{c}/from', 412, { headers: { destination: '{c}/to', 'if-unmodified-since': LONG_AGO } }),
      step('COPY', '{c}/from', 416, { headers: { destination: '{c}/to', range: 'bytes=20-' } }),
      step('GET', '{c}/to', { status: 200, text: '234' }),
      step('COPY', '{c}/from', 201, { headers: { destination: '{c}/to', 'if-match': ETAG } }),
      step('GET', '{c}/to', copied),
    ],
  },
  {
    name: 'copies that cannot be made',
    steps: [
      source,
      step('COPY', '{c}/none', 404, { headers: { destination: '{c}/to' } }),
      step('COPY', '{c}/from', 404, { headers: { destination: '{c}-none/to' } }),
      step('COPY', '{c}/from', 412),
      step('COPY', '{c}/from', 412, { headers: { destination: '{c}' } }),
      step('PUT', '{c}/to', 404, { headers: { 'x-copy-from': '{c}/none' } }),
      step('PUT', '{c}/to', 412, { headers: { 'x-copy-from': '{c}' } }),
      step('PUT', '{c}/to', 201, { headers: { 'x-copy-from': '' } }),
      step('COPY', '{c}/from', 400, { headers: { destination: `{c}/${'n'.repeat(1025)}` } }),
    ],
  },
];
