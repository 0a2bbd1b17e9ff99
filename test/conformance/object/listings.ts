import { type Case, type Step, step, type Wanted } from '../suite.ts';

const NAMES = ['a', 'b', 'dir/1', 'dir/2', 'dir/sub/3', 'e', 'é', 'z/'];
const filled: Step[] = NAMES.map(name =>
  step('PUT', `{c}/${name}`, 201, { body: name, headers: { 'content-type': 'a/b' } }),
);

const names = (body: unknown): string[] =>
  (body as { name?: string; subdir?: string }[]).map(one => one.name ?? `${one.subdir}*`);

/** A listing of the names above: what is asked, what comes. */
const LISTINGS: readonly (readonly [query: string, ...names: string[]])[] = [
  ['', ...NAMES],
  ['limit=3', 'a', 'b', 'dir/1'],
  ['limit=0'],
  ['marker=b', 'dir/1', 'dir/2', 'dir/sub/3', 'e', 'z/', 'é'],
  ['marker=bb', 'dir/1', 'dir/2', 'dir/sub/3', 'e', 'z/', 'é'],
  ['end_marker=dir/2', 'a', 'b', 'dir/1'],
  ['marker=a&end_marker=e', 'b', 'dir/1', 'dir/2', 'dir/sub/3'],
  ['marker=%C3%A9'],
  ['prefix=dir', 'dir/1', 'dir/2', 'dir/sub/3'],
  ['prefix=dir/&limit=1', 'dir/1'],
  ['prefix=%C3%A9', 'é'],
  ['prefix=none'],
  ['delimiter=/', 'a', 'b', 'dir/*', 'e', 'z/*', 'é'],
  ['delimiter=/&limit=3', 'a', 'b', 'dir/*'],
  ['delimiter=/&marker=dir/', 'e', 'z/*', 'é'],
  ['delimiter=/&prefix=dir/', 'dir/1', 'dir/2', 'dir/sub/*'],
  ['delimiter=/&prefix=dir', 'dir/*'],
  ['delimiter=i', 'a', 'b', 'di*', 'e', 'z/', 'é'],
  ['path=', 'a', 'b', 'e', 'z/', 'é'],
  ['path=dir', 'dir/1', 'dir/2'],
  ['path=dir/', 'dir/1', 'dir/2'],
  ['path=dir/sub', 'dir/sub/3'],
  ['path=dir&limit=1', 'dir/1'],
  ['unknown=x', ...NAMES],
];

/** In the order of bytes, as databases sort names. */
const sorted = (all: readonly string[]): string[] =>
  [...all].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

export const listings: readonly Case[] = [
  {
    name: 'listings: marker, end marker, limit, prefix, delimiter, path, in JSON and in text',
    steps: [
      ...filled,
      step('GET', '{c}', { status: 200, lines: sorted(NAMES) }, { eventually: true }),
      ...LISTINGS.flatMap(([query, ...wanted]) => {
        const json: Wanted = { status: 200, json: names, equals: sorted(wanted) };
        const lines = sorted(wanted).map(name => name.replace('*', ''));
        const text: Wanted = wanted.length ? { status: 200, lines } : { status: [200, 204], text: '' };
        return [
          step('GET', '{c}', json, { query: `${query}&format=json` }),
          step('GET', '{c}', text, { query }),
        ];
      }),
    ],
  },
  {
    name: 'listings: what JSON and XML say of an object',
    steps: [
      step('PUT', '{c}/a<b&"c"', 201, {
        body: 'hello',
        headers: { 'content-type': 'text/x; charset=utf-8' },
      }),
      step(
        'GET',
        '{c}',
        {
          status: 200,
          headers: { 'content-type': 'application/json; charset=utf-8', 'x-container-object-count': '1' },
          json: body => {
            const [{ last_modified, ...rest }] = body as [Record<string, string>];
            return [
              Object.entries(rest).sort(),
              /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/.test(last_modified!),
            ];
          },
          equals: [
            [
              ['bytes', 5],
              ['content_type', 'text/x; charset=utf-8'],
              ['hash', '5d41402abc4b2a76b9719d911017c592'],
              ['name', 'a<b&"c"'],
            ],
            true,
          ],
        },
        { query: 'format=json', eventually: true },
      ),
      step(
        'GET',
        '{c}',
        {
          status: 200,
          headers: { 'content-type': 'application/xml; charset=utf-8' },
          text: /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<container name="{c}">\s*<object><name>a&lt;b&amp;(?:"|&quot;)c(?:"|&quot;)<\/name><hash>5d41402abc4b2a76b9719d911017c592<\/hash><bytes>5<\/bytes><content_type>text\/x; charset=utf-8<\/content_type><last_modified>[^<]+<\/last_modified><\/object>\s*<\/container>\s*$/,
        },
        { query: 'format=xml' },
      ),
      step(
        'GET',
        '{c}',
        { status: 200, headers: { 'content-type': 'text/xml; charset=utf-8' } },
        { headers: { accept: 'text/xml' } },
      ),
      step(
        'GET',
        '{c}',
        { status: 200, headers: { 'content-type': /^application\/json/ } },
        { headers: { accept: 'application/json' } },
      ),
      step(
        'GET',
        '{c}',
        { status: 200, headers: { 'content-type': /^text\/plain/ } },
        { headers: { accept: '*/*' } },
      ),
      step(
        'GET',
        '{c}',
        { status: 200, headers: { 'content-type': /^text\/plain/ } },
        { query: 'format=unknown' },
      ),
      step(
        'GET',
        '{c}',
        { status: 200, headers: { 'content-type': /^application\/json/ } },
        { query: 'format=json', headers: { accept: 'text/xml' } },
      ),
    ],
  },
  {
    name: 'listings: bad parameters',
    steps: [
      step('GET', '{c}', 412, { query: 'limit=10001' }),
      step('GET', '{c}', 200, { query: 'limit=10000&format=json' }),
      step(
        'GET',
        '{c}',
        { status: 200, headers: { 'content-type': /json/ } },
        { query: 'limit=x&format=json' },
      ),
      step('GET', '{c}', 412, { query: 'delimiter=ab' }),
      step('GET', '{c}', 400, { query: 'prefix=%ff' }),
      step('GET', '{c}', 400, { query: 'marker=%ff' }),
    ],
  },
];
