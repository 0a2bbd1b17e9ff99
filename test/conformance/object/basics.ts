import { type Case, step } from '../suite.ts';

const MD5_HELLO = '5d41402abc4b2a76b9719d911017c592';
const HEX = 'a'.repeat(32);

/** Names that clients have given to objects. */
const NAMES = [
  'plain',
  'with space',
  'per%cent',
  'plus+',
  'quest?ion',
  'ha#sh',
  'a/b/c',
  'a//b',
  'üñí',
  '日本',
  '🎈',
  "quo'te",
  'am&p',
  'new\nline',
  '.',
  '..',
  'a/../b',
  ' lead',
  'tail ',
];

export const accounts: readonly Case[] = [
  {
    name: 'an account tells counts and time',
    steps: [
      step('HEAD', '', {
        status: 204,
        headers: {
          'x-account-container-count': /^\d+$/,
          'x-account-object-count': /^\d+$/,
          'x-account-bytes-used': /^\d+$/,
          'x-timestamp': /^\d+\.\d+$/,
        },
      }),
    ],
  },
  {
    name: "an account's metadata is set, changed and removed",
    steps: [
      step('POST', '', 204, { headers: { 'x-account-meta-colour': 'blue', 'x-account-meta-size': 'big' } }),
      step('HEAD', '', {
        status: 204,
        headers: { 'x-account-meta-colour': 'blue', 'x-account-meta-size': 'big' },
      }),
      step('POST', '', 204, {
        headers: { 'x-account-meta-colour': 'red', 'x-remove-account-meta-size': 'x' },
      }),
      step('HEAD', '', {
        status: 204,
        headers: { 'x-account-meta-colour': 'red', 'x-account-meta-size': null },
      }),
      step('POST', '', 204, { headers: { 'x-account-meta-colour': '' } }),
      step('HEAD', '', { status: 204, headers: { 'x-account-meta-colour': null } }),
    ],
  },
  {
    name: 'an account lists its containers',
    steps: [
      step('PUT', '{c}-2', 201),
      step('GET', '', { status: 200, lines: ['{c}', '{c}-2'] }, { query: 'prefix={c}' }),
      step('GET', '', { status: 200, lines: ['{c}'] }, { query: 'prefix={c}&limit=1' }),
      step('GET', '', { status: 200, lines: ['{c}-2'] }, { query: 'prefix={c}&marker={c}' }),
      step('GET', '', { status: 200, lines: ['{c}'] }, { query: 'prefix={c}&end_marker={c}-' }),
      step(
        'GET',
        '',
        {
          status: 200,
          headers: { 'content-type': /^application\/json/ },
          json: body =>
            (body as { name: string; count: number; bytes: number }[]).map(({ count, bytes }) => [
              count,
              bytes,
            ]),
          equals: [
            [0, 0],
            [0, 0],
          ],
        },
        { query: 'prefix={c}&format=json' },
      ),
      step(
        'GET',
        '',
        {
          status: 200,
          headers: { 'content-type': /xml/ },
          text: /<account name="[^"]+">\s*<container><name>.*<\/account>/s,
        },
        { query: 'prefix={c}&format=xml' },
      ),
      step(
        'GET',
        '',
        { status: 200, headers: { 'content-type': /^application\/json/ } },
        { query: 'prefix={c}', headers: { accept: 'application/json' } },
      ),
      step('GET', '', { status: [200, 204], text: '' }, { query: 'prefix={c}-none' }),
    ],
  },
  {
    name: 'an account refuses what is no account',
    steps: [
      step('GET', '', { status: [401, 403] }, { as: 'nobody' }),
      step('GET', '', 412, { query: 'limit=10001' }),
      step('POST', '', 400, { headers: { 'x-account-meta-long': 'v'.repeat(257) } }),
      step('POST', '', 400, { headers: { [`x-account-meta-${'n'.repeat(129)}`]: 'v' } }),
      step('COPY', '', 405),
    ],
  },
];

export const containers: readonly Case[] = [
  {
    name: 'a container is made, made again and removed',
    steps: [
      step('PUT', '{c}-n', 201),
      step('PUT', '{c}-n', 202),
      step('HEAD', '{c}-n', {
        status: 204,
        headers: { 'x-container-object-count': '0', 'x-container-bytes-used': '0', 'x-timestamp': /^\d/ },
      }),
      step('DELETE', '{c}-n', 204),
      step('HEAD', '{c}-n', 404),
      step('GET', '{c}-n', 404),
      step('DELETE', '{c}-n', 404),
      step('POST', '{c}-n', 404, { headers: { 'x-container-meta-a': 'b' } }),
    ],
  },
  {
    name: 'a container with objects is not removed',
    steps: [
      step('PUT', '{c}/o', 201, { body: 'hello' }),
      step('DELETE', '{c}', 409),
      step('DELETE', '{c}/o', 204),
      step('DELETE', '{c}', 204, { eventually: true }),
    ],
  },
  {
    name: 'a container counts objects and bytes',
    steps: [
      step('PUT', '{c}/1', 201, { body: 'hello' }),
      step('PUT', '{c}/2', 201, { body: 'hello world' }),
      step(
        'HEAD',
        '{c}',
        { status: 204, headers: { 'x-container-object-count': '2', 'x-container-bytes-used': '16' } },
        { eventually: true },
      ),
    ],
  },
  {
    name: "a container's metadata is set, changed and removed",
    steps: [
      step('POST', '{c}', 204, { headers: { 'x-container-meta-one': '1', 'X-Container-Meta-Two': '2' } }),
      step('HEAD', '{c}', { status: 204, headers: { 'x-container-meta-one': '1' } }),
      step('PUT', '{c}', 202, { headers: { 'x-container-meta-one': '2' } }),
      step('HEAD', '{c}', { status: 204, headers: { 'x-container-meta-one': '2' } }),
      step('POST', '{c}', 204, { headers: { 'x-remove-container-meta-one': 'yes' } }),
      step('HEAD', '{c}', { status: 204, headers: { 'x-container-meta-one': null } }),
    ],
  },
  {
    name: 'container names have limits',
    steps: [
      step('PUT', 'n'.repeat(257), 400),
      step('PUT', '%ff', 412, { raw: true, make: target => ({ path: `${target.root}/%ff` }) }),
      step('POST', '{c}', 400, { headers: { 'x-container-meta-long': 'v'.repeat(257) } }),
      step('POST', '{c}', 400, { headers: { [`x-container-meta-${'n'.repeat(129)}`]: 'v' } }),
      step('POST', '{c}', 400, {
        headers: Object.fromEntries(Array.from({ length: 91 }, (_, n) => [`x-container-meta-n${n}`, 'v'])),
      }),
      step('COPY', '{c}', 405),
    ],
  },
];

export const objects: readonly Case[] = [
  {
    name: 'an object comes back as it was sent',
    steps: [
      step(
        'PUT',
        '{c}/o',
        { status: 201, headers: { etag: MD5_HELLO } },
        {
          body: 'hello',
          headers: { 'content-type': 'text/x-greeting', 'x-object-meta-mood': 'good' },
        },
      ),
      step('GET', '{c}/o', {
        status: 200,
        text: 'hello',
        headers: {
          etag: MD5_HELLO,
          'content-type': 'text/x-greeting',
          'content-length': '5',
          'x-object-meta-mood': 'good',
          'last-modified': /GMT$/,
          'accept-ranges': 'bytes',
        },
      }),
      step('HEAD', '{c}/o', {
        status: 200,
        text: '',
        headers: { etag: MD5_HELLO, 'content-length': '5', 'x-object-meta-mood': 'good' },
      }),
      step('DELETE', '{c}/o', 204),
      step('GET', '{c}/o', 404),
      step('HEAD', '{c}/o', 404),
      step('DELETE', '{c}/o', 404),
      step('POST', '{c}/o', 404, { headers: { 'x-object-meta-a': 'b' } }),
    ],
  },
  {
    name: 'an upload without a type gets one by its name',
    steps: [
      step('PUT', '{c}/page.html', 201, { body: 'x' }),
      step('HEAD', '{c}/page.html', { status: 200, headers: { 'content-type': /^text\/html/ } }),
      step('PUT', '{c}/odd', 201, { body: 'x' }),
      step('HEAD', '{c}/odd', { status: 200, headers: { 'content-type': 'application/octet-stream' } }),
    ],
  },
  {
    name: 'the digest of an upload is checked',
    steps: [
      step('PUT', '{c}/o', 422, { body: 'hello', headers: { etag: HEX } }),
      step('GET', '{c}/o', 404),
      step('PUT', '{c}/o', 201, { body: 'hello', headers: { etag: MD5_HELLO } }),
    ],
  },
  {
    name: 'uploads in chunks, empty ones, and ones without a length',
    steps: [
      step('PUT', '{c}/chunks', 201, { body: 'hello', headers: { 'transfer-encoding': 'chunked' } }),
      step('GET', '{c}/chunks', { status: 200, text: 'hello', headers: { 'content-length': '5' } }),
      step('PUT', '{c}/empty', 201, { body: '' }),
      step('GET', '{c}/empty', { status: 200, text: '', headers: { 'content-length': '0' } }),
    ],
  },
  {
    name: "a POST replaces an object's metadata and keeps its bytes",
    steps: [
      step('PUT', '{c}/o', 201, {
        body: 'hello',
        headers: { 'content-type': 'a/b', 'x-object-meta-one': '1' },
      }),
      step('POST', '{c}/o', 202, { headers: { 'x-object-meta-two': '2' } }),
      step('GET', '{c}/o', {
        status: 200,
        text: 'hello',
        headers: {
          'x-object-meta-one': null,
          'x-object-meta-two': '2',
          'content-type': 'a/b',
          etag: MD5_HELLO,
        },
      }),
      step('POST', '{c}/o', 202, { headers: { 'content-type': 'c/d' } }),
      step('HEAD', '{c}/o', { status: 200, headers: { 'content-type': 'c/d', 'x-object-meta-two': null } }),
    ],
  },
  {
    name: 'headers that stay with an object',
    steps: [
      step('PUT', '{c}/o', 201, {
        body: 'hello',
        headers: { 'content-encoding': 'gzip', 'content-disposition': 'attachment; filename=x' },
      }),
      step('HEAD', '{c}/o', {
        status: 200,
        headers: { 'content-encoding': 'gzip', 'content-disposition': 'attachment; filename=x' },
      }),
    ],
  },
  {
    name: 'object names and metadata have limits',
    steps: [
      step('PUT', `{c}/${'n'.repeat(1024)}`, 201, { body: 'x' }),
      step('PUT', `{c}/${'n'.repeat(1025)}`, 400, { body: 'x' }),
      step('PUT', '{c}/o', 400, { body: 'x', headers: { 'x-object-meta-long': 'v'.repeat(257) } }),
      step('PUT', '{c}/o', 400, { body: 'x', headers: { [`x-object-meta-${'n'.repeat(129)}`]: 'v' } }),
      step('PUT', '{c}/o', 400, {
        body: 'x',
        headers: Object.fromEntries(Array.from({ length: 91 }, (_, n) => [`x-object-meta-n${n}`, 'v'])),
      }),
      step('PUT', '{c}/o', 400, {
        body: 'x',
        headers: Object.fromEntries(
          Array.from({ length: 20 }, (_, n) => [`x-object-meta-n${n}`, 'v'.repeat(250)]),
        ),
      }),
      step('PUT', '{c}/o', 413, {
        headers: { 'content-length': String(5 * 1024 ** 3 + 3), expect: '100-continue' },
      }),
      step('PUT', '{c}-no/o', 404, { body: 'x' }),
    ],
  },
  ...NAMES.map(
    (name): Case => ({
      name: `an object named ${JSON.stringify(name)}`,
      steps: [
        step('PUT', `{c}/x${name}`, 201, { body: 'hello' }),
        step('GET', `{c}/x${name}`, { status: 200, text: 'hello' }),
        step(
          'GET',
          '{c}',
          {
            status: 200,
            json: body => (body as { name: string }[]).map(one => one.name),
            equals: [`x${name}`],
          },
          { query: 'format=json', eventually: true },
        ),
        step('DELETE', `{c}/x${name}`, 204),
      ],
    }),
  ),
];
