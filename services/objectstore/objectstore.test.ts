import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { type RunningService, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { novaOptions } from '@folsom/nova/options';
import { tempDir } from '@folsom/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
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
