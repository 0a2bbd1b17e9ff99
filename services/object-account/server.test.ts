import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningService, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { normalizeTimestamp, pathHash } from '@folsom/swift';
import { createInternalClient, type InternalClient, internalText } from '@folsom/swift-http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startAccountServer } from './server.ts';

const world = { clock: systemClock, random: systemRandom, log: silentLogger };
let root: string;
const undeclared = new Set<string>();
let server: RunningService;
let client: InternalClient;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'accounts-'));
  server = await startAccountServer({
    root,
    mountCheck: false,
    preallocate: false,
    pathHash: pathHash('changeme'),
    world,
    host: '127.0.0.1',
    port: 0,
    undeclared: (operation, what) => undeclared.add(`${operation}: ${what}`),
    autoCreateAccountPrefix: '.',
    delayReaping: 3600,
  });
  client = createInternalClient(world);
});
afterAll(async () => {
  expect([...undeclared]).toEqual([]);
  client.close();
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});

let second = Math.floor(systemClock.now() / 1000) - 100;
/** Later than all before. */
const stamp = () => normalizeTimestamp(String(second++));

async function ask(method: string, path: string, headers: Record<string, string> = {}, body = '') {
  const response = await client.request(
    { ip: '127.0.0.1', port: Number(server.addresses[0]!.split(':')[1]) },
    {
      method,
      path: `/sda/7/${path}`,
      headers: Object.entries({
        'X-Timestamp': stamp(),
        ...(body === '' ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }),
        ...headers,
      }),
      ...(body === '' ? {} : { body: Buffer.from(body) }),
      connectTimeoutMs: 5000,
      timeoutMs: 60_000,
    },
  );
  return {
    status: response.status,
    headers: response.headers,
    text: (await internalText(response)).toString(),
  };
}

/** What a container server tells of a container. */
const told = (objects: number, bytes: number, deleted = '0') => ({
  'X-Put-Timestamp': stamp(),
  'X-Delete-Timestamp': deleted,
  'X-Object-Count': String(objects),
  'X-Bytes-Used': String(bytes),
});

it('an account is made, shown with its metadata and numbers, changed and deleted', async () => {
  expect((await ask('HEAD', 'a')).status).toBe(404);
  expect((await ask('POST', 'a', { 'X-Account-Meta-Colour': 'red' })).status).toBe(404);
  expect((await ask('PUT', 'a', { 'X-Account-Meta-Colour': 'red' })).status).toBe(201);
  expect((await ask('PUT', 'a')).status).toBe(202);
  expect((await ask('PUT', 'a/c', told(2, 30))).status).toBe(201);
  expect((await ask('PUT', 'a/d', told(1, 12))).status).toBe(201);
  const shown = await ask('HEAD', 'a');
  expect([shown.status, shown.text]).toEqual([204, '']);
  expect(Object.fromEntries(shown.headers)).toMatchObject({
    'x-account-container-count': '2',
    'x-account-object-count': '3',
    'x-account-bytes-used': '42',
    'x-account-meta-colour': 'red',
  });
  expect((await ask('POST', 'a', { 'X-Account-Meta-Colour': '' })).status).toBe(204);
  expect((await ask('HEAD', 'a')).headers.has('x-account-meta-colour')).toBe(false);
  expect((await ask('HEAD', 'a/c')).headers.get('x-container-timestamp')).toMatch(/^\d+\.\d{5}$/);
  for (const path of ['a/c', 'a/d']) {
    expect((await ask('PUT', path, { ...told(0, 0), 'X-Delete-Timestamp': stamp() })).status).toBe(204);
  }
  expect((await ask('GET', 'a')).status).toBe(204);
  expect((await ask('DELETE', 'a')).status).toBe(204);
  expect((await ask('DELETE', 'a')).status).toBe(404);
  expect((await ask('PUT', 'a/c', told(0, 0))).status).toBe(404);
});

it('a timestamp may have more than ten digits, as in the original', async () => {
  const far = { 'X-Timestamp': '99999999999' };
  expect((await ask('PUT', 'far', far)).status).toBe(201);
  const container = { ...told(0, 0), 'X-Put-Timestamp': '99999999999.5' };
  expect((await ask('PUT', 'far/c', container)).status).toBe(201);
  expect((await ask('HEAD', 'far')).headers.get('x-put-timestamp')).toBe('99999999999.00000');
  expect((await ask('POST', 'far', { 'X-Timestamp': 'soon' })).status).toBe(400);
  expect((await ask('DELETE', 'far', { 'X-Timestamp': '199999999999' })).status).toBe(204);
});

it('its containers are listed as text, JSON and XML, a page at a time', async () => {
  expect((await ask('PUT', 'listed')).status).toBe(201);
  const empty = await ask('GET', 'listed?format=json');
  expect([empty.status, empty.text]).toEqual([200, '[]']);
  for (const name of ['x.1', 'x.2', 'y', 'zü'])
    expect((await ask('PUT', `listed/${encodeURIComponent(name)}`, told(1, 5))).status).toBe(201);
  const text = await ask('GET', 'listed');
  expect([text.status, text.text]).toEqual([200, 'x.1\nx.2\ny\nzü\n']);
  expect(text.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(JSON.parse((await ask('GET', 'listed?format=json&limit=1&marker=x.1')).text)).toEqual([
    { name: 'x.2', count: 1, bytes: 5 },
  ]);
  expect((await ask('GET', 'listed?delimiter=.&end_marker=z')).text).toBe('x.\ny\n');
  const xml = await ask('GET', 'listed?format=xml&prefix=y');
  expect(xml.headers.get('content-type')).toBe('application/xml; charset=utf-8');
  expect(xml.text).toContain('<account name="listed">');
  expect(xml.text).toContain('<container><name>y</name><count>1</count><bytes>5</bytes></container>');
  for (const query of ['limit=10001', 'delimiter=ab']) {
    expect([query, (await ask('GET', `listed?${query}`)).status]).toEqual([query, 412]);
  }
});

it('a deleted account comes back where it is asked for, and not by itself', async () => {
  expect((await ask('PUT', 'back')).status).toBe(201);
  expect((await ask('DELETE', 'back')).status).toBe(204);
  const refused = await ask('PUT', 'back');
  expect([refused.status, refused.text]).toEqual([403, 'Recently deleted']);
  expect((await ask('PUT', 'back', { 'X-Account-Undelete': 'true' })).status).toBe(202);
  expect((await ask('HEAD', 'back')).status).toBe(204);
});

it('what does not fit is refused: numbers that are missing, too much metadata, a path that is none', async () => {
  expect((await ask('PUT', 'fits')).status).toBe(201);
  const { 'X-Bytes-Used': _bytes, ...short } = told(1, 1);
  expect((await ask('PUT', 'fits/c', short)).status).toBe(400);
  expect((await ask('PUT', 'fits/c', { ...told(1, 1), 'X-Object-Count': 'many' })).status).toBe(400);
  const many = Object.fromEntries(Array.from({ length: 91 }, (_, at) => [`X-Account-Meta-M${at}`, 'v']));
  expect((await ask('POST', 'fits', many)).status).toBe(400);
  expect((await ask('GET', 'fits/c/o')).status).toBe(400);
  expect((await ask('POST', 'fits', { 'X-Timestamp': 'soon' })).status).toBe(400);
});

it('an account of the services themselves comes into being with its first container', async () => {
  expect((await ask('PUT', 'nobody/c', told(1, 1))).status).toBe(404);
  expect((await ask('PUT', '.expiring/c', told(1, 1))).status).toBe(201);
  expect((await ask('GET', '.expiring')).text).toBe('c\n');
});

it('refuses what no replica sends, and takes what one does', async () => {
  expect((await ask('PUT', 'AUTH_replica')).status).toBe(201);
  const replicate = async (...args: unknown[]) => {
    const path = pathHash('changeme').hex('AUTH_replica');
    return (await ask('REPLICATE', path, {}, JSON.stringify(args))).status;
  };
  const row = { ROWID: 1, name: 'c', put_timestamp: '1.0', delete_timestamp: '0', object_count: 0, bytes_used: 0, deleted: 0 }; // biome-ignore format: a row
  const state: unknown[] = [7, 'hash', 'remote', '1.0', '1.0', '0', '{"X-Account-Meta-A": ["b", "1.0"]}'];
  expect(await replicate('merge_items', [row], 'remote')).toBe(202);
  expect(await replicate('merge_syncs', [{ remote_id: 'remote', sync_point: 3 }])).toBe(202);
  expect(await replicate('sync', ...state)).toBe(200);
  expect(await replicate('sync', ...state.slice(0, 6), '')).toBe(200);

  const odd: unknown[] = [null, true, 1, 1.5, 'x', [], {}, [null], [[]], [{}], { toString: 1 }, '__proto__'];
  for (const value of odd) {
    const takes = (status: number, ...others: number[]) => expect([value, [400, ...others].includes(status)]).toEqual([value, true]); // biome-ignore format: one call
    // No rows and no points are lists of them, too.
    const none = Array.isArray(value) && value.length === 0 ? [202] : [];
    takes(await replicate('merge_items', value), ...none);
    takes(await replicate('merge_syncs', value), ...none);
    for (const key of Object.keys(row))
      takes(await replicate('merge_items', [{ ...row, [key]: value }], 'remote'), 202);
    takes(await replicate('merge_items', [row], value), 202);
    for (const key of ['remote_id', 'sync_point'])
      takes(await replicate('merge_syncs', [{ remote_id: 'remote', sync_point: 3, [key]: value }]), 202);
    for (let at = 0; at < state.length; at++) takes(await replicate('sync', ...state.with(at, value)), 200);
    for (let at = 0; at < 6; at++) takes(await replicate('sync', ...state.slice(0, at)));
    takes(await replicate('complete_rsync', value), 404);
    takes(await replicate(value));
  }
});

it('refuses names of devices and partitions that no file system has', async () => {
  const long = 'd'.repeat(256);
  for (const path of [`/${long}/7/AUTH_a`, `/sda/${long}/AUTH_a`]) {
    const response = await client.request(
      { ip: '127.0.0.1', port: Number(server.addresses[0]!.split(':')[1]) },
      { method: 'PUT', path, headers: [['X-Timestamp', stamp()]], connectTimeoutMs: 5000, timeoutMs: 60_000 },
    );
    expect([path.length, response.status]).toEqual([path.length, 400]);
    await internalText(response);
  }
});
