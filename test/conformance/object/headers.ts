import { type Case, type Original, type Step, step, type Wanted } from '../suite.ts';

const TEXT = '0123456789';
const ETAG = '781e5e245d69b566979b86e28d23f2c7';
const OTHER = 'x'.repeat(32);
const LONG_AGO = 'Thu, 27 Sep 2012 10:00:00 GMT';
const LATER = 'Tue, 01 Jan 2999 10:00:00 GMT';

/** One header or parameter of swift's API: what it does to a request of a kind, and what comes of it. */
type Row = readonly [
  what: string,
  request: readonly [method: string, path: string, ask?: Partial<Step>],
  want: Wanted,
  ...then: Step[],
];

const whole: Wanted = { status: 200, text: TEXT };
const same = step('GET', '{c}/o', whole);
const copied = step('GET', '{c}/to', whole);
const none = step('GET', '{c}/to', 404);
const h = (headers: Record<string, string>): Partial<Step> => ({ headers });
const q = (query: string): Partial<Step> => ({ query });

/**
 * Swift 1.7's API header by header and parameter by parameter: each is done as swift does it, or refused. What swift
 * itself takes no notice of stands here, too, so that nobody takes it for something else.
 */
const API: readonly Row[] = [
  // Reading listings
  [
    'Range of a container listing',
    ['GET', '{c}', h({ range: 'bytes=0-1' })],
    { status: 206, text: 'em', headers: { 'content-range': 'bytes 0-1/8' } },
  ],
  [
    'Range beyond a container listing',
    ['GET', '{c}', h({ range: 'bytes=100-' })],
    { status: 416, headers: { 'content-range': 'bytes */8' } },
  ],
  [
    'Range of an account listing',
    ['GET', '', { ...h({ range: 'bytes=0-10' }), ...q('prefix={c}') }],
    { status: 206, text: 'conformance' },
  ],
  [
    'Range of a HEAD of a container',
    ['HEAD', '{c}', h({ range: 'bytes=0-1' })],
    { status: 204, headers: { 'content-range': null } },
  ],
  ['If-Match of a listing', ['GET', '{c}', h({ 'if-match': OTHER })], { status: [200, 412] }],
  ['If-Modified-Since of a listing', ['GET', '{c}', h({ 'if-modified-since': LATER })], 200],
  [
    'Accept with qualities',
    ['GET', '{c}', h({ accept: 'application/json;q=0.1, text/xml;q=0.9' })],
    { status: 200, headers: { 'content-type': /^text\/xml/ } },
  ],
  ['Accept of something else', ['GET', '{c}', h({ accept: 'image/png' })], { status: [200, 406] }],
  ['limit twice', ['GET', '{c}', q('limit=1&limit=2')], { status: 200, lines: ['empty', 'o'] }],
  ['limit that is no number', ['GET', '{c}', q('limit=-1')], { status: 200, lines: ['empty', 'o'] }],
  [
    'format twice',
    ['GET', '{c}', q('format=xml&format=json')],
    { status: 200, headers: { 'content-type': /json/ } },
  ],
  [
    'format over Accept',
    ['GET', '{c}', { ...q('format=plain'), ...h({ accept: 'application/json' }) }],
    { status: 200, headers: { 'content-type': /^text\/plain/ } },
  ],
  ['path of an account', ['GET', '', q('prefix={c}&path=x')], { status: 200, lines: ['{c}'] }],
  ['a parameter in capitals', ['GET', '{c}', q('LIMIT=1')], { status: 200, lines: ['empty', 'o'] }],
  ['parameters parted by a semicolon', ['GET', '{c}', q('limit=1;marker=empty')], { status: 200 }],
  ['X-Newest of a listing', ['GET', '{c}', h({ 'x-newest': 'true' })], 200],
  // Reading objects
  ['Range of a HEAD', ['HEAD', '{c}/o', h({ range: 'bytes=2-4' })], { status: [200, 206] }],
  ['several ranges', ['GET', '{c}/o', h({ range: 'bytes=0-1,4-5' })], { status: [206, 416] }],
  [
    'Range with huge numbers',
    ['GET', '{c}/o', h({ range: 'bytes=2-99999999999999999999' })],
    { status: 206, text: '23456789' },
  ],
  ['Range that begins at a huge number', ['GET', '{c}/o', h({ range: 'bytes=99999999999999999999-' })], 416],
  ['Range of an empty object', ['GET', '{c}/empty', h({ range: 'bytes=0-' })], { status: [200, 416] }],
  ['Range in other units', ['GET', '{c}/o', h({ range: 'items=0-1' })], whole],
  [
    'If-Range with a date',
    ['GET', '{c}/o', h({ range: 'bytes=2-4', 'if-range': LATER })],
    { status: [200, 206] },
  ],
  ['If-Match before Range', ['GET', '{c}/o', h({ range: 'bytes=2-4', 'if-match': OTHER })], 412],
  ['If-None-Match before Range', ['GET', '{c}/o', h({ range: 'bytes=2-4', 'if-none-match': ETAG })], 304],
  ['an empty If-Match', ['GET', '{c}/o', h({ 'if-match': '' })], whole],
  ['an empty If-None-Match', ['GET', '{c}/o', h({ 'if-none-match': '' })], whole],
  ['If-Match of a HEAD', ['HEAD', '{c}/o', h({ 'if-match': ETAG })], 200],
  [
    'If-None-Match of a HEAD',
    ['HEAD', '{c}/o', h({ 'if-none-match': ETAG })],
    { status: 304, headers: { etag: ETAG } },
  ],
  ['If-Match of a missing object', ['GET', '{c}/none', h({ 'if-match': '*' })], 412],
  ['a query swift does not know', ['GET', '{c}/o', q('multipart-manifest=get')], whole],
  ['a temporary URL without its expiry', ['GET', '{c}/o', q('temp_url_sig=x')], { status: [200, 401] }],
  // Writing objects
  ['ETag in quotes', ['PUT', '{c}/to', { body: TEXT, ...h({ etag: `"${ETAG}"` }) }], { status: [201, 422] }],
  ['ETag in capitals', ['PUT', '{c}/to', { body: TEXT, ...h({ etag: ETAG.toUpperCase() }) }], 201, copied],
  ['ETag of other bytes', ['PUT', '{c}/to', { body: TEXT, ...h({ etag: OTHER }) }], 422, none],
  [
    'Content-Type that is empty',
    ['PUT', '{c}/to', { body: TEXT, ...h({ 'content-type': '' }) }],
    201,
    copied,
  ],
  [
    'Transfer-Encoding that nobody knows',
    ['PUT', '{c}/to', h({ 'transfer-encoding': 'gzip', 'content-length': '0' })],
    { status: [400, 411, 501] },
    none,
  ],
  [
    'X-Timestamp from outside',
    ['PUT', '{c}/to', { body: TEXT, ...h({ 'x-timestamp': '9999999999' }) }],
    { status: [201, 400] },
    step('DELETE', '{c}/to', { status: [204, 404] }),
  ],
  [
    'X-Delete-At that is empty',
    ['PUT', '{c}/to', { body: TEXT, ...h({ 'x-delete-at': '' }) }],
    { status: [201, 400] },
  ],
  [
    'X-Delete-At with a fraction',
    ['PUT', '{c}/to', { body: TEXT, ...h({ 'x-delete-at': '99999999999.5' }) }],
    400,
    none,
  ],
  ['X-Delete-At before now', ['PUT', '{c}/to', { body: TEXT, ...h({ 'x-delete-at': '-1' }) }], 400, none],
  [
    'X-Delete-After over X-Delete-At',
    ['PUT', '{c}/to', { body: TEXT, ...h({ 'x-delete-after': '100', 'x-delete-at': '1' }) }],
    201,
    copied,
  ],
  [
    'X-Delete-After before now',
    ['PUT', '{c}/to', { body: TEXT, ...h({ 'x-delete-after': '-5' }) }],
    400,
    none,
  ],
  [
    'X-Object-Meta- without a name',
    ['PUT', '{c}/to', { body: TEXT, ...h({ 'x-object-meta-': 'v' }) }],
    400,
    none,
  ],
  ['X-Object-Manifest that is no path', ['PUT', '{c}/to', h({ 'x-object-manifest': 'c' })], 400, none],
  [
    'a container header of an object',
    ['PUT', '{c}/to', { body: TEXT, ...h({ 'x-container-meta-a': 'b' }) }],
    201,
    step('HEAD', '{c}', { status: 204, headers: { 'x-container-meta-a': null } }),
  ],
  [
    'headers of storage servers',
    [
      'PUT',
      '{c}/to',
      {
        body: TEXT,
        ...h({ 'x-container-host': '127.0.0.1:1', 'x-container-device': 'x', 'x-container-partition': '1' }),
      },
    ],
    201,
    copied,
    step('GET', '{c}', { status: 200, text: /^to$/m }, { eventually: true }),
  ],
  [
    'If-None-Match of a PUT',
    ['PUT', '{c}/o', { body: 'new', ...h({ 'if-none-match': '*' }) }],
    { status: [201, 412] },
  ],
  ['Range of a PUT', ['PUT', '{c}/to', { body: TEXT, ...h({ range: 'bytes=2-4' }) }], 201, copied],
  ['a body with X-Copy-From', ['PUT', '{c}/to', { body: 'x', ...h({ 'x-copy-from': '{c}/o' }) }], 400, none],
  [
    'X-Copy-From without an object',
    ['PUT', '{c}/to', h({ 'x-copy-from': '{c}/' })],
    { status: [400, 412] },
    none,
  ],
  [
    'X-Copy-From without a container',
    ['PUT', '{c}/to', h({ 'x-copy-from': '//o' })],
    { status: [400, 412] },
    none,
  ],
  ['X-Copy-From that is no UTF-8', ['PUT', '{c}/to', h({ 'x-copy-from': '%ff/o' })], 412, none],
  // Copies
  [
    'Range of a COPY',
    ['COPY', '{c}/o', h({ destination: '{c}/to', range: 'bytes=2-4' })],
    201,
    step('GET', '{c}/to', { status: 200, text: '234' }),
  ],
  [
    'Range of X-Copy-From',
    ['PUT', '{c}/to', h({ 'x-copy-from': '{c}/o', range: 'bytes=-3' })],
    201,
    step('GET', '{c}/to', { status: 200, text: '789' }),
  ],
  ['If-Match of a COPY', ['COPY', '{c}/o', h({ destination: '{c}/to', 'if-match': OTHER })], 412, none],
  [
    'If-None-Match of a COPY',
    ['COPY', '{c}/o', h({ destination: '{c}/to', 'if-none-match': '*' })],
    304,
    none,
  ],
  [
    'If-Unmodified-Since of X-Copy-From',
    ['PUT', '{c}/to', h({ 'x-copy-from': '{c}/o', 'if-unmodified-since': LONG_AGO })],
    412,
    none,
  ],
  ['Destination without an object', ['COPY', '{c}/o', h({ destination: '{c}' })], 412],
  [
    'Destination that is quoted',
    ['COPY', '{c}/o', h({ destination: '{c}/a%20b' })],
    201,
    step('GET', '{c}/a b', whole),
  ],
  [
    'X-Delete-After of a COPY',
    ['COPY', '{c}/o', h({ destination: '{c}/to', 'x-delete-after': '100' })],
    201,
    step('HEAD', '{c}/to', { status: 200, headers: { 'x-delete-at': /^\d+$/ } }),
  ],
  // Changing objects
  [
    'X-Fresh-Metadata of a POST',
    ['POST', '{c}/o', h({ 'x-fresh-metadata': 'false', 'x-object-meta-n': '2' })],
    202,
    step('HEAD', '{c}/o', { status: 200, headers: { 'x-object-meta-n': '2' } }),
  ],
  [
    'ETag of a POST',
    ['POST', '{c}/o', h({ 'x-object-meta-n': '2' })],
    202,
    step('GET', '{c}/o', { status: 200, text: TEXT, headers: { etag: ETAG } }),
  ],
  ['X-Delete-At in the past of a POST', ['POST', '{c}/o', h({ 'x-delete-at': '1' })], 400, same],
  ['If-Match of a DELETE', ['DELETE', '{c}/none', h({ 'if-match': '*' })], { status: [404, 412] }],
  // Containers and accounts
  ['X-Container-Meta- without a name', ['POST', '{c}', h({ 'x-container-meta-': 'v' })], 400],
  ['X-Account-Meta- without a name', ['POST', '', h({ 'x-account-meta-': 'v' })], 400],
  ['X-Container-Sync-To that is no URL', ['POST', '{c}', h({ 'x-container-sync-to': 'x' })], 400],
  [
    'X-Container-Sync-To of another scheme',
    ['POST', '{c}', h({ 'x-container-sync-to': 'ftp://a/v1/a/c' })],
    400,
  ],
  [
    'removal and change of the same',
    ['POST', '{c}', h({ 'x-remove-container-meta-a': 'x', 'x-container-meta-a': 'b' })],
    204,
    step('HEAD', '{c}', { status: 204, headers: { 'x-container-meta-a': 'b' } }),
  ],
  [
    'X-Timestamp of a container',
    ['POST', '{c}', h({ 'x-timestamp': '1', 'x-container-meta-a': 'b' })],
    204,
    step('HEAD', '{c}', { status: 204, headers: { 'x-container-meta-a': 'b' } }),
  ],
  // Methods and paths
  ['a method nobody knows', ['PATCH', '{c}/o', {}], { status: [400, 405, 501] }, same],
  ['a method of storage servers', ['REPORT', '{c}/o', {}], { status: [400, 405, 501] }, same],
  [
    'a token in its older header',
    [
      'GET',
      '{c}/o',
      { as: 'nobody', make: target => ({ headers: { 'x-storage-token': target.login.token } }) },
    ],
    whole,
  ],
  [
    'two slashes before a container',
    ['GET', '', { make: (target, _path) => ({ path: `${target.root}//` }) }],
    { status: [404, 412] },
  ],
  [
    'a slash in a container name',
    ['PUT', '', { make: target => ({ path: `${target.root}/a%2Fb` }), body: 'x' }],
    { status: [400, 404] },
  ],
  ['a path that is no UTF-8', ['GET', '', { make: target => ({ path: `${target.root}/%FF/o` }) }], 412],
];

/** Rows of which 1.7.4 itself falls short. */
const ORIGINAL: Readonly<Record<string, Original>> = {
  'Transfer-Encoding that nobody knows': {
    status: 201,
    why: 'the coding is not looked at, and the object is stored coded: whoever reads it gets other bytes than were meant',
  },
  'X-Copy-From without a container': { status: 500, why: 'an exception that nobody catches' },
  'two slashes before a container': {
    status: 200,
    why: 'an empty name means the account, so that DELETE of one deletes the account with all that is in it',
  },
};

export const apiCases: readonly Case[] = API.map(([what, [method, path, ask], want, ...then]) => ({
  name: `API: ${what}`,
  ...(ORIGINAL[what] ? { original: ORIGINAL[what] } : {}),
  steps: [
    step('PUT', '{c}/o', 201, { body: TEXT, headers: { 'content-type': 'a/b', 'x-object-meta-m': '1' } }),
    step('PUT', '{c}/empty', 201),
    step('GET', '{c}', { status: 200, lines: ['empty', 'o'] }, { eventually: true }),
    step(method, path, want, ask ?? {}),
    ...then,
  ],
}));
