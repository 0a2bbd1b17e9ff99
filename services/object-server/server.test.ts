import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { unpickleDict } from '@folsom/pickle';
import { readMetadataAt } from '@folsom/swift/object-metadata';
import { eventually } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { filesOf, objectDirectory, type TestServer, testServer } from './test-devices.ts';

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server.stop());

let tick = 1_400_000_000;
/** A timestamp after all before. */
const stamp = () => `${++tick}.00000`;
const md5 = (bytes: string | Buffer) => createHash('md5').update(bytes).digest('hex');
const put = (name: string, body: string | Buffer, headers: Record<string, string> = {}, at = stamp()) =>
  server.send('PUT', `/sda/7/${name}`, { 'x-timestamp': at, 'content-type': 'text/plain', ...headers }, body);

/** What this process has open below a directory. */
const openFiles = (directory: string): string[] =>
  readdirSync('/proc/self/fd')
    .map(fd => {
      try {
        return readlinkSync(join('/proc/self/fd', fd));
      } catch {
        return '';
      }
    })
    .filter(path => path.startsWith(directory));

describe('PUT and GET', () => {
  it('stores bytes and metadata as the original does', async () => {
    const at = stamp();
    const made = await put(
      'a/c/o',
      'hello',
      { 'x-object-meta-color': 'bl\xfce', 'content-encoding': 'gzip', 'x-other': '1' },
      at,
    );
    expect(made.status).toBe(201);
    expect(made.headers.get('etag')).toBe(md5('hello'));
    expect(made.body.toString()).toBe('201 Created\n\n\n\n   ');
    expect(filesOf(server.root, 'sda', 7, 'a/c/o')).toEqual([`${at}.data`]);
    const file = join(objectDirectory(server.root, 'sda', 7, 'a/c/o'), `${at}.data`);
    expect(readFileSync(file, 'utf8')).toBe('hello');
    expect({ ...readMetadataAt(file) }).toEqual({
      'X-Timestamp': at,
      'Content-Type': 'text/plain',
      ETag: md5('hello'),
      'Content-Length': '5',
      'X-Object-Meta-Color': 'bl\xfce',
      'Content-Encoding': 'gzip',
      name: '/a/c/o',
    });
    const got = await server.send('GET', '/sda/7/a/c/o');
    expect(got.body.toString()).toBe('hello');
    expect(Object.fromEntries(got.headers)).toMatchObject({
      'content-length': '5',
      'content-type': 'text/plain',
      'content-encoding': 'gzip',
      etag: md5('hello'),
      'x-timestamp': at,
      'last-modified': new Date(Number(at) * 1000).toUTCString(),
      'x-object-meta-color': 'bl\xfce',
    });
    const head = await server.send('HEAD', '/sda/7/a/c/o');
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '5']);
  });

  it('keeps only the newest version, and nothing in tmp', async () => {
    for (const body of ['one', 'two', 'three']) expect((await put('a/c/again', body)).status).toBe(201);
    expect(filesOf(server.root, 'sda', 7, 'a/c/again')).toHaveLength(1);
    expect((await server.send('GET', '/sda/7/a/c/again')).body.toString()).toBe('three');
    expect(readdirSync(join(server.root, 'sda', 'tmp'))).toEqual([]);
  });

  it('a late older upload changes nothing', async () => {
    const early = stamp();
    await put('a/c/late', 'new');
    expect((await put('a/c/late', 'old', {}, early)).status).toBe(201);
    expect((await server.send('GET', '/sda/7/a/c/late')).body.toString()).toBe('new');
  });

  it('the same upload twice is the same object', async () => {
    const at = stamp();
    expect((await put('a/c/twice', 'x', {}, at)).status).toBe(201);
    expect((await put('a/c/twice', 'x', {}, at)).status).toBe(201);
    expect(filesOf(server.root, 'sda', 7, 'a/c/twice')).toEqual([`${at}.data`]);
  });

  it('serves large objects, whole and in parts', async () => {
    const body = Buffer.alloc(3_000_000, 'swift!');
    expect((await put('a/c/large', body)).status).toBe(201);
    expect(md5((await server.send('GET', '/sda/7/a/c/large')).body)).toBe(md5(body));
    const part = await server.send('GET', '/sda/7/a/c/large', { range: 'bytes=1000000-2999998' });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 1000000-2999998/3000000']);
    expect(part.body.equals(body.subarray(1_000_000, 2_999_999))).toBe(true);
  });

  it('names are any UTF-8, others are refused', async () => {
    expect((await put('a/c/%e2%98%83/x%20y', 'snow')).status).toBe(201);
    expect(filesOf(server.root, 'sda', 7, 'a/c/\u2603/x y')).toHaveLength(1);
    expect((await server.send('GET', '/sda/7/a/c/%ff')).status).toBe(412);
    expect((await put('a/c/nul%00', 'x')).status).toBe(400);
  });

  it.each([
    ['wrong etag', { etag: md5('other') }, 422],
    ['no timestamp', { 'x-timestamp': '' }, 400],
    ['timestamp that is none', { 'x-timestamp': 'soon' }, 400],
    ['negative timestamp', { 'x-timestamp': '-1' }, 400],
    ['timestamp of eleven digits', { 'x-timestamp': '10000000000' }, 400],
    ['expired already', { 'x-delete-at': '1000' }, 400],
    ['end that is no number', { 'x-delete-at': 'never' }, 400],
    ['manifest of a wrong form', { 'x-object-manifest': 'nocontainer' }, 400],
    ['metadata value too long', { 'x-object-meta-a': 'v'.repeat(257) }, 400],
    ['metadata name too long', { [`x-object-meta-${'n'.repeat(129)}`]: 'v' }, 400],
  ])('refuses %s', async (_what, headers, status) => {
    expect((await put('a/c/refused', 'body', headers)).status).toBe(status);
    expect(filesOf(server.root, 'sda', 7, 'a/c/refused')).toEqual([]);
    expect(readdirSync(join(server.root, 'sda', 'tmp'))).toEqual([]);
  });

  it('refuses a name of 1025 bytes and takes one of 1024', async () => {
    expect((await put(`a/c/${'o'.repeat(1025)}`, 'x')).status).toBe(400);
    expect((await put(`a/c/${'o'.repeat(1024)}`, 'x')).status).toBe(201);
  });

  it('leaves nothing of an upload that breaks off', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      `PUT /sda/7/a/c/broken HTTP/1.1\r\nHost: x\r\nX-Timestamp: ${stamp()}\r\nContent-Type: a/b\r\nContent-Length: 1000000\r\n\r\nhalf`,
    );
    // Nameless or not, the file is open as long as it is written.
    const unfinished = () => openFiles(join(server.root, 'sda', 'tmp'));
    await eventually(unfinished).toHaveLength(1);
    socket.destroy();
    await eventually(unfinished).toEqual([]);
    expect(readdirSync(join(server.root, 'sda', 'tmp'))).toEqual([]);
    expect(filesOf(server.root, 'sda', 7, 'a/c/broken')).toEqual([]);
    expect((await server.send('GET', '/sda/7/a/c/broken')).status).toBe(404);
  });

  it('takes chunked uploads', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', reject);
      socket.once('data', data => {
        resolve(data.toString());
        socket.destroy();
      });
      socket.write(
        `PUT /sda/7/a/c/chunked HTTP/1.1\r\nHost: x\r\nX-Timestamp: ${stamp()}\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`,
      );
    });
    expect(answer).toContain('201 Created');
    expect((await server.send('GET', '/sda/7/a/c/chunked')).body.toString()).toBe('abcde');
  });
});

describe('ranges', () => {
  beforeAll(() => put('a/c/digits', '0123456789'));
  it.each([
    ['bytes=0-4', 206, '01234'],
    ['bytes=5-', 206, '56789'],
    ['bytes=-3', 206, '789'],
    ['bytes=9-100', 206, '9'],
    ['bytes=-0', 206, ''],
    ['bytes=5-2', 200, '0123456789'],
    ['bytes=a-b', 200, '0123456789'],
    ['items=0-4', 200, '0123456789'],
    ['bytes=', 200, '0123456789'],
    ['bytes=0-4,', 200, '0123456789'],
    ['bytes=100-200', 416, 'Requested range not satisfiable: bytes=100-200'],
    ['bytes=-100', 416, 'Requested range not satisfiable: bytes=-100'],
    ['bytes=0-1, 3-4', 416, 'Requested range not satisfiable: bytes=0-1,3-4'],
  ])('%s', async (range, status, body) => {
    const got = await server.send('GET', '/sda/7/a/c/digits', { range });
    expect([got.status, got.body.toString()]).toEqual([
      status,
      range === 'bytes=-0' ? got.body.toString() : body,
    ]);
  });
  it('no range of nothing', async () => {
    await put('a/c/empty', '');
    expect((await server.send('GET', '/sda/7/a/c/empty', { range: 'bytes=0-' })).status).toBe(416);
    expect((await server.send('GET', '/sda/7/a/c/empty')).status).toBe(200);
  });
});

describe('conditions', () => {
  const etag = md5('cond');
  const modified = 1_500_000_000;
  const date = (offset: number) => new Date((modified + offset) * 1000).toUTCString();
  beforeAll(() => put('a/c/cond', 'cond', {}, `${modified}.32514`));
  it.each([
    ['GET', { 'if-match': etag }, 200],
    ['GET', { 'if-match': `"${etag}"` }, 200],
    ['GET', { 'if-match': 'bad' }, 412],
    ['GET', { 'if-match': `bad, ${etag}` }, 200],
    ['GET', { 'if-none-match': etag }, 304],
    ['GET', { 'if-none-match': '*' }, 304],
    ['GET', { 'if-none-match': 'bad' }, 200],
    ['GET', { 'if-modified-since': date(0) }, 304],
    ['GET', { 'if-modified-since': date(-3600) }, 200],
    ['GET', { 'if-modified-since': date(3600) }, 304],
    ['GET', { 'if-modified-since': '1795466953' }, 200],
    ['GET', { 'if-unmodified-since': date(0) }, 412],
    ['GET', { 'if-unmodified-since': date(-3600) }, 412],
    ['GET', { 'if-unmodified-since': date(3600) }, 200],
    ['HEAD', { 'if-match': 'bad' }, 200],
    ['HEAD', { 'if-none-match': `"${etag}"` }, 304],
    ['HEAD', { 'if-modified-since': date(0) }, 304],
    ['HEAD', { 'if-modified-since': 'garbage' }, 200],
    ['HEAD', { 'if-unmodified-since': date(-3600) }, 200],
  ])('%s %o is %i', async (method, headers, status) => {
    const got = await server.send(method, '/sda/7/a/c/cond', headers as Record<string, string>);
    expect(got.status).toBe(status);
  });
  it('If-Match: * on nothing is 412', async () => {
    expect((await server.send('GET', '/sda/7/a/c/nothing', { 'if-match': '*' })).status).toBe(412);
    expect((await server.send('GET', '/sda/7/a/c/nothing', { 'if-none-match': '*' })).status).toBe(404);
  });
});

describe('POST and DELETE', () => {
  it('POST replaces the metadata and keeps the bytes', async () => {
    await put('a/c/post', 'body', { 'x-object-meta-old': '1', 'content-disposition': 'x' });
    const at = stamp();
    expect(
      (await server.send('POST', '/sda/7/a/c/post', { 'x-timestamp': at, 'x-object-meta-new': '2' })).status,
    ).toBe(202);
    const head = await server.send('HEAD', '/sda/7/a/c/post');
    expect(head.headers.get('x-object-meta-old')).toBeUndefined();
    expect(head.headers.get('content-disposition')).toBeUndefined();
    expect(head.headers.get('x-object-meta-new')).toBe('2');
    expect(head.headers.get('content-type')).toBe('text/plain');
    expect(head.headers.get('x-timestamp')).toBe(at);
    expect((await server.send('POST', '/sda/7/a/c/none', { 'x-timestamp': stamp() })).status).toBe(404);
    expect((await server.send('POST', '/sda/7/a/c/post', {})).status).toBe(400);
  });

  it('DELETE leaves a tombstone, also for what was not there', async () => {
    await put('a/c/gone', 'body');
    const at = stamp();
    expect((await server.send('DELETE', '/sda/7/a/c/gone', { 'x-timestamp': at })).status).toBe(204);
    expect(filesOf(server.root, 'sda', 7, 'a/c/gone')).toEqual([`${at}.ts`]);
    expect((await server.send('GET', '/sda/7/a/c/gone')).status).toBe(404);
    expect((await server.send('DELETE', '/sda/7/a/c/never', { 'x-timestamp': stamp() })).status).toBe(404);
    expect(filesOf(server.root, 'sda', 7, 'a/c/never')).toHaveLength(1);
  });

  it('an older DELETE writes nothing (CVE-2013-4155)', async () => {
    const early = stamp();
    const at = stamp();
    await put('a/c/stay', 'body', {}, at);
    for (let i = 0; i < 5; i++) {
      const old = `${Number(early) - i}.00000`;
      expect((await server.send('DELETE', '/sda/7/a/c/stay', { 'x-timestamp': old })).status).toBe(202);
    }
    expect(filesOf(server.root, 'sda', 7, 'a/c/stay')).toEqual([`${at}.data`]);
    await server.send('DELETE', '/sda/7/a/c/stay', { 'x-timestamp': stamp() });
    expect((await server.send('DELETE', '/sda/7/a/c/stay', { 'x-timestamp': early })).status).toBe(404);
    expect(filesOf(server.root, 'sda', 7, 'a/c/stay')).toHaveLength(1);
  });

  it('X-If-Delete-At must match', async () => {
    await put('a/c/exp', 'x', { 'x-delete-at': '4000000000' });
    const send = (wanted: string) =>
      server.send('DELETE', '/sda/7/a/c/exp', { 'x-timestamp': stamp(), 'x-if-delete-at': wanted });
    expect((await send('4000000001')).status).toBe(412);
    expect((await send('x')).status).toBe(400);
    expect((await send('4000000000')).status).toBe(204);
  });

  it('an object whose time has come is gone', async () => {
    let now = 1_000_000_000_000;
    const own = await testServer({}, { now: () => now });
    try {
      const headers = {
        'x-timestamp': '1000000000.00000',
        'content-type': 'a/b',
        'x-delete-at': '1000000010',
      };
      await own.send('PUT', '/sda/1/a/c/o', headers, 'x');
      expect((await own.send('GET', '/sda/1/a/c/o')).status).toBe(200);
      now += 10_000;
      for (const method of ['GET', 'HEAD', 'POST']) {
        expect((await own.send(method, '/sda/1/a/c/o', { 'x-timestamp': '1000000011' })).status).toBe(404);
      }
    } finally {
      await own.stop();
    }
  });
});

describe('damage', () => {
  it.each(['cut short', 'metadata lost', 'bit flipped'])('%s: quarantined, not served', async what => {
    const name = `a/c/damaged-${what.replaceAll(' ', '-')}`;
    await put(name, 'precious');
    const directory = objectDirectory(server.root, 'sda', 7, name);
    const file = join(directory, readdirSync(directory)[0]!);
    if (what === 'cut short') truncateSync(file, 3);
    else if (what === 'bit flipped') writeFileSync(file, 'prfcious');
    else writeFileSync(join(directory, '1999999999.00000.data'), 'no attributes');
    expect((await server.send('GET', `/sda/7/${name}`)).status).toBe(404);
    expect(existsSync(directory)).toBe(false);
    expect(readdirSync(join(server.root, 'sda', 'quarantined', 'objects'))).toContain(
      directory.split('/').at(-1),
    );
    // and another of the same name can be quarantined, too
    await put(name, 'precious');
    truncateSync(join(directory, readdirSync(directory)[0]!), 3);
    expect((await server.send('HEAD', `/sda/7/${name}`)).status).toBe(404);
    expect(existsSync(directory)).toBe(false);
  });

  it('a large object that proves damaged at its end', async () => {
    await put('a/c/large-damage', Buffer.alloc(300_000, 1));
    const directory = objectDirectory(server.root, 'sda', 7, 'a/c/large-damage');
    writeFileSync(join(directory, readdirSync(directory)[0]!), Buffer.alloc(300_000, 2));
    await server.send('GET', '/sda/7/a/c/large-damage');
    expect((await server.send('GET', '/sda/7/a/c/large-damage')).status).toBe(404);
  });
});

describe('REPLICATE', () => {
  const hashes = async (suffixes = '') => {
    const got = await server.send('REPLICATE', `/sda/7${suffixes}`);
    expect(got.status).toBe(200);
    return unpickleDict(got.body);
  };
  it('answers sums over the names of files, and follows changes', async () => {
    const at = stamp();
    await put('rep/c/o', 'x', {}, at);
    const suffix = objectDirectory(server.root, 'sda', 7, 'rep/c/o').split('/').at(-2)!;
    const first = await hashes();
    expect(first[suffix]).toBe(md5(`${at}.data`));
    const stored = unpickleDict(readFileSync(join(server.root, 'sda/objects/7/hashes.pkl')));
    expect(stored[suffix]).toBe(first[suffix]);
    const later = stamp();
    await put('rep/c/o', 'y', {}, later);
    expect(unpickleDict(readFileSync(join(server.root, 'sda/objects/7/hashes.pkl')))[suffix]).toBeNull();
    expect((await hashes())[suffix]).toBe(md5(`${later}.data`));
    expect((await hashes(`/${suffix}`))[suffix]).toBe(md5(`${later}.data`));
  });
  it('refuses partitions that are none', async () => {
    expect((await server.send('REPLICATE', '/sda/..')).status).toBe(400);
    expect((await server.send('REPLICATE', '/sda/x')).status).toBe(400);
  });
});

describe('the device', () => {
  it('must be mounted, if so configured', async () => {
    const own = await testServer({ mount_check: 'true' });
    try {
      for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'REPLICATE']) {
        const headers = { 'x-timestamp': stamp(), 'content-type': 'a/b' };
        const path = method === 'REPLICATE' ? '/sda/1' : '/sda/1/a/c/o';
        expect((await own.send(method, path, headers)).status).toBe(507);
      }
      expect(readdirSync(join(own.root, 'sda'))).toEqual([]);
    } finally {
      await own.stop();
    }
  });

  it('that is not there is 507, and nothing is made', async () => {
    const headers = { 'x-timestamp': stamp(), 'content-type': 'a/b' };
    expect((await server.send('PUT', '/sdz/1/a/c/o', headers, 'x')).status).toBe(507);
    expect(existsSync(join(server.root, 'sdz'))).toBe(false);
  });

  it('keeps its reserve', async () => {
    const { bavail, bsize } = statfsSync(server.root);
    const own = await testServer({ fallocate_reserve: String(bavail * bsize + 1e9) });
    try {
      const headers = { 'x-timestamp': stamp(), 'content-type': 'a/b' };
      expect((await own.send('PUT', '/sda/1/a/c/o', headers, 'x')).status).toBe(507);
    } finally {
      await own.stop();
    }
  });

  it.each([
    '/../1/a/c/o',
    '/%2e%2e/1/a/c/o',
    '/sda/../a/c/o',
    '/sda/%2e/a/c/o',
    '/sda/1/a/c',
    '/sda//a/c/o',
    '/',
  ])('paths that climb or lack a part are refused: %s', async path => {
    expect((await server.send('GET', path)).status).toBe(400);
  });

  it('unknown methods are 405', async () => {
    expect((await server.send('PATCH', '/sda/1/a/c/o')).status).toBe(405);
    expect((await server.send('constructor', '/sda/1/a/c/o')).status).toBe(405);
  });
});

describe('container updates', () => {
  it('reach the container server before the answer', async () => {
    const seen: string[] = [];
    const container = createServer(socket =>
      socket.on('data', data => {
        seen.push(data.toString());
        socket.write('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n');
      }),
    );
    await new Promise<void>(resolve => container.listen(0, '127.0.0.1', resolve));
    const { port } = container.address() as { port: number };
    const at = stamp();
    const where = {
      'x-container-host': `127.0.0.1:${port}`,
      'x-container-partition': '9',
      'x-container-device': 'sdc',
    };
    await put('a/c/told%20me', 'hello', { ...where, 'x-trans-id': 'tx1' }, at);
    container.close();
    expect(seen.at(-1)).toContain('PUT /sdc/9/a/c/told%20me HTTP/1.1');
    for (const line of [
      'X-Size: 5',
      'X-Content-Type: text/plain',
      `X-Timestamp: ${at}`,
      `X-Etag: ${md5('hello')}`,
      'X-Trans-Id: tx1',
    ]) {
      expect(seen.at(-1)!.toLowerCase()).toContain(line.toLowerCase());
    }
    const hash = objectDirectory(server.root, 'sda', 7, 'a/c/told me').split('/').at(-1)!;
    expect(existsSync(join(server.root, 'sda', 'async_pending', hash.slice(-3)))).toBe(false);
  });

  it('are kept for later when it does not answer', async () => {
    const at = stamp();
    const where = {
      'x-container-host': '127.0.0.1:1',
      'x-container-partition': '9',
      'x-container-device': 'sdc',
    };
    expect((await put('a/c/kept', 'hello', where, at)).status).toBe(201);
    const root = join(server.root, 'sda', 'async_pending');
    const hash = objectDirectory(server.root, 'sda', 7, 'a/c/kept').split('/').at(-1)!;
    const suffix = hash.slice(-3);
    const [name] = readdirSync(join(root, suffix));
    expect(name).toBe(`${hash}-${at}`);
    expect(unpickleDict(readFileSync(join(root, suffix, name!)))).toMatchObject({
      op: 'PUT',
      account: 'a',
      container: 'c',
      obj: 'kept',
      headers: {
        'x-size': '5',
        'x-content-type': 'text/plain',
        'x-timestamp': at,
        'x-etag': md5('hello'),
        'x-trans-id': '-',
      },
    });
  });
});

it('no directory is made where one was not asked for', () => {
  expect(readdirSync(server.root)).toEqual(['sda']);
  mkdirSync(join(server.root, 'sda'), { recursive: true });
});
