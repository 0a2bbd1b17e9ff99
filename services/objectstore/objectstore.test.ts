import { createHmac } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { type RunningService, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { novaOptions } from '@folsom/nova/options';
import { tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startObjectstore } from './objectstore.ts';

const dir = tempDir('folsom-objectstore');
const root = join(dir.path, 'buckets');
let service: RunningService;
let url: string;
beforeAll(async () => {
  service = await startObjectstore({
    config: configFrom([novaOptions], {
      DEFAULT: { s3_listen: '127.0.0.1', s3_listen_port: 0, buckets_path: root },
    }),
    world: { clock: systemClock, random: systemRandom, log: silentLogger },
  });
  url = `http://${service.addresses[0]}`;
});
afterAll(async () => {
  await service.stop();
  dir.remove();
});

const ask = (method: string, path: string, body?: string) =>
  fetch(url + path, { method, ...(body === undefined ? {} : { body }) });

it('keeps buckets and objects as Folsom keeps them', async () => {
  expect((await ask('PUT', '/images/')).status).toBe(200);
  expect((await ask('PUT', '/images/')).status).toBe(403);
  const put = await ask('PUT', '/images/a.manifest.xml', 'hello');
  expect(put.headers.get('etag')).toBe('"5d41402abc4b2a76b9719d911017c592"');
  expect(readFileSync(join(root, 'images', 'a.manifest.xml'), 'utf8')).toBe('hello');
  const get = await ask('GET', '/images/a.manifest.xml');
  expect([get.status, await get.text(), get.headers.get('content-type')]).toEqual([
    200,
    'hello',
    'application/unknown',
  ]);
  expect((await ask('HEAD', '/images/a.manifest.xml')).headers.get('content-length')).toBe('5');
  expect(await (await ask('GET', '/')).text()).toContain('<Name>images</Name>');
  expect((await ask('DELETE', '/images/')).status).toBe(403);
  expect((await ask('DELETE', '/images/a.manifest.xml')).status).toBe(204);
  expect((await ask('GET', '/images/a.manifest.xml')).status).toBe(404);
  expect((await ask('DELETE', '/images/')).status).toBe(204);
  expect((await ask('DELETE', '/images/')).status).toBe(404);
});

it('does not bring a bucket back that goes while an object is on its way', async () => {
  for (const name of ['object', 'a/b/object']) {
    await ask('PUT', '/brief');
    const steps = new TransformStream<Uint8Array, Uint8Array>();
    const writer = steps.writable.getWriter();
    const put = fetch(`${url}/brief/${name}`, {
      method: 'PUT',
      body: steps.readable,
      duplex: 'half',
    } as RequestInit);
    await writer.write(new Uint8Array(10));
    await expect.poll(() => readdirSync(join(root, '.unfinished')).length, { timeout: 30_000 }).toBe(1);
    expect((await ask('DELETE', '/brief')).status).toBe(204);
    await writer.close();
    expect((await put).status).toBe(404);
    expect((await ask('GET', '/brief')).status).toBe(404);
    expect(readdirSync(join(root, '.unfinished'))).toEqual([]);
  }
});

it('answers whatever is asked with a reason and never with 500', async () => {
  await ask('PUT', '/odd');
  const texts = [
    '',
    '.',
    '..',
    '%00',
    '%2f',
    '%ff',
    '%c3%a9',
    '%',
    'a%0d%0ab',
    '__proto__',
    'constructor',
    '-1',
    '1.5',
    '1e9',
    'x'.repeat(300),
    '%20',
  ];
  const targets = [
    ...texts.flatMap(text => [
      `/${text}`,
      `/${text}/`,
      `/odd/${text}`,
      `/odd/${text}/x`,
      `/odd/x/${text}`,
      `/${text}/x`,
    ]),
    ...['max-keys', 'marker', 'prefix', 'terse', 'delimiter', 'toString'].flatMap(name =>
      texts.flatMap(text => [`/odd/?${name}=${text}`, `/odd/?${name}=${text}&${name}=${text}`]),
    ),
  ];
  const headers = [
    [],
    ...['authorization', 'date', 'content-md5', 'x-amz-date', 'range', 'content-type', 'expect'].flatMap(
      name =>
        ['', 'AWS', 'AWS :', 'AWS a:b', 'Basic !', '-1', 'x'.repeat(4000), '\u00ff'].map(value => [
          [name, value],
        ]),
    ),
  ] as [string, string][][];
  const [host, port] = url.slice('http://'.length).split(':');
  const status = (method: string, path: string, extra: [string, string][]) =>
    new Promise<number>((resolve, reject) => {
      const call = request({ host, port, method, path, headers: Object.fromEntries(extra) }, answer => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode ?? 0));
      });
      call.setTimeout(60_000, () => call.destroy(new Error('no answer')));
      call.on('error', reject);
      call.end(method === 'PUT' ? 'bytes' : '');
    });
  const wrong: unknown[] = [];
  const tried = async (method: string, path: string, extra: [string, string][] = []) => {
    const said = await status(method, path, extra);
    if (said < 200 || said > 499) wrong.push([method, path, extra, said]);
  };
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'OPTIONS']) {
    for (const path of targets) await tried(method, path);
    for (const extra of headers) for (const path of ['/', '/odd', '/odd/x']) await tried(method, path, extra);
  }
  expect(wrong).toEqual([]);
});

it('lists by prefix, marker and number', async () => {
  await ask('PUT', '/listed');
  for (const name of ['a', 'b/1', 'b/2', 'b/3', 'c']) await ask('PUT', `/listed/${name}`, name);
  const keys = async (query: string) => {
    const text = await (await ask('GET', `/listed/?${query}`)).text();
    return {
      keys: [...text.matchAll(/<Key>(.*?)<\/Key>/g)].map(match => match[1]),
      more: text.includes('<IsTruncated>true'),
    };
  };
  expect(await keys('')).toEqual({ keys: ['a', 'b/1', 'b/2', 'b/3', 'c'], more: false });
  expect(await keys('prefix=b/&max-keys=2')).toEqual({ keys: ['b/1', 'b/2'], more: true });
  expect(await keys('prefix=b/&marker=b/2')).toEqual({ keys: ['b/3'], more: false });
  expect((await ask('GET', '/listed/?max-keys=x')).status).toBe(400);
});

it('leads nowhere but into its folder', async () => {
  writeFileSync(join(dir.path, 'secret'), 'secret');
  await ask('PUT', '/mine');
  mkdirSync(join(root, 'mine', 'folder'));
  symlinkSync(join(dir.path, 'secret'), join(root, 'mine', 'link'));
  const before = readdirSync(dir.path).sort();
  for (const path of [
    '/mine/..%2f..%2fsecret',
    '/mine/%2e%2e/%2e%2e/secret',
    '/..%2fsecret',
    '/mine/link',
    '/%2e%2e/secret',
    '/mine/a%00b',
  ])
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await ask(method, path, method === 'PUT' ? 'x' : undefined);
      expect(await answer.text(), `${method} ${path}`).not.toContain('secret');
      expect(answer.status, `${method} ${path}`).toBeLessThan(500);
    }
  expect(readFileSync(join(dir.path, 'secret'), 'utf8')).toBe('secret');
  expect(readdirSync(dir.path).sort()).toEqual(before);
  expect((await ask('PUT', '/mine/folder', 'x')).status).toBe(403);
  expect((await ask('PUT', '/nobody/x', 'x')).status).toBe(404);
});

describe('with a login', () => {
  const SECRETS: Record<string, string> = { annas: 'one', bobs: 'two' };
  let asked: RunningService;
  beforeAll(async () => {
    asked = await startObjectstore({
      config: configFrom([novaOptions], {
        DEFAULT: {
          s3_listen: '127.0.0.1',
          s3_listen_port: 0,
          buckets_path: join(dir.path, 'owned'),
          s3_access_key: 'nova',
          s3_secret_key: 'service',
        },
      }),
      world: { clock: systemClock, random: systemRandom, log: silentLogger },
      login: async ({ access, token, signature }) => {
        const secret = SECRETS[String(access)];
        if (secret === undefined) return null;
        const text = Buffer.from(String(token), 'base64');
        const right = createHmac('sha1', secret).update(text).digest('base64') === signature;
        return right ? { tenantId: String(access).replace(/s$/, '') } : null;
      },
    });
    mkdirSync(join(dir.path, 'owned', 'of-before'));
  });
  afterAll(() => asked.stop());

  /** A signed request, as boto sends it. */
  const signed = (
    access: string,
    secret: string,
    method: string,
    path: string,
    more: { body?: string; date?: string } = {},
  ) => {
    const { body, date = new Date().toUTCString() } = more;
    const type = body === undefined ? '' : 'text/plain';
    const resource = path.split('?')[0] + (path.includes('?acl') ? '?acl' : '');
    const text = `${method}\n\n${type}\n\nx-amz-acl:private\nx-amz-date:${date}\n${resource}`;
    const signature = createHmac('sha1', secret).update(text).digest('base64');
    return fetch(`http://${asked.addresses[0]}${path}`, {
      method,
      headers: {
        authorization: `AWS ${access}:${signature}`,
        'x-amz-date': date,
        'x-amz-acl': 'private',
        ...(body === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body }),
    });
  };
  const anna = (method: string, path: string, body?: string) =>
    signed('annas', 'one', method, path, body === undefined ? {} : { body });
  const bob = (method: string, path: string, body?: string) =>
    signed('bobs', 'two', method, path, body === undefined ? {} : { body });

  it('gives a bucket to its tenant alone', async () => {
    expect((await anna('PUT', '/hers/')).status).toBe(200);
    expect((await anna('PUT', '/hers/a', 'secret')).status).toBe(200);
    expect(await (await anna('GET', '/hers/a?acl')).text()).toBe('secret');
    expect((await anna('GET', '/hers/?max-keys=5')).status).toBe(200);
    expect(await (await anna('GET', '/')).text()).toContain('<Name>hers</Name>');
    for (const [method, path] of [
      ['GET', '/hers/a'],
      ['HEAD', '/hers/a'],
      ['GET', '/hers/'],
      ['PUT', '/hers/'],
      ['PUT', '/hers/b'],
      ['DELETE', '/hers/a'],
      ['DELETE', '/hers/'],
      ['GET', '/of-before/'],
    ] as const)
      expect([path, (await bob(method, path, path === '/hers/b' ? 'x' : undefined)).status]).toEqual([
        path,
        403,
      ]);
    expect(await (await bob('GET', '/')).text()).not.toContain('<Name>');
    expect((await bob('PUT', '/his/')).status).toBe(200);
  });

  it('refuses who signs wrongly, or not at all', async () => {
    const url = `http://${asked.addresses[0]}/hers/a`;
    expect((await fetch(url)).status).toBe(403);
    for (const authorization of [
      'AWS annas',
      'AWS annas:',
      'AWS :x',
      'Bearer x',
      `AWS annas:${'A'.repeat(5_000)}`,
    ])
      expect((await fetch(url, { headers: { authorization } })).status).toBe(403);
    expect((await signed('annas', 'wrong', 'GET', '/hers/a')).status).toBe(403);
    expect((await signed('nobody', 'one', 'GET', '/hers/a')).status).toBe(403);
  });

  it("lets nova-api read for the tenant that it names, and nobody's forgery of it", async () => {
    const date = new Date().toUTCString();
    const read = (access: string, secret: string, day = date) => {
      const signature = createHmac('sha1', secret).update(`GET\n\n\n${day}\n/hers/a`).digest('base64');
      return fetch(`http://${asked.addresses[0]}/hers/a`, {
        headers: { authorization: `AWS ${access}:${signature}`, date: day },
      });
    };
    expect((await read('nova:anna', 'service')).status).toBe(200);
    expect((await read('nova:bob', 'service')).status).toBe(403);
    expect((await read('nova:anna', 'guessed')).status).toBe(403);
    expect((await read('nova:anna', 'service', new Date(0).toUTCString())).status).toBe(403);
  });
});
