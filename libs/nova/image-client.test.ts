import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { adminContext, silentLogger, systemClock } from '@folsom/core';
import { expect, it } from 'vitest';
import { imageClient } from './image-client.ts';

it('asks for an image by any text, and takes none for the end of the service', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(404).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const images = imageClient({ servers: [`127.0.0.1:${port}`], clock: systemClock, log: silentLogger });
  for (const id of ['\ud800', '../../x', '\u0000', 'a?b#c', 'é日'])
    await expect(images.show(adminContext(), id), id).rejects.toMatchObject({ name: 'ImageNotFound' });
  expect(asked).toHaveLength(5);
  expect(asked.every(path => /^\/v1\/images\/[\w%.]+$/.test(path))).toBe(true);
  server.closeAllConnections();
  server.close();
});

it('asks again where a kept connection has been closed, unless that would do something twice', async () => {
  let [asked, closed] = [0, 0];
  const sockets = new Set<unknown>();
  const server = createServer((request, response) => {
    asked += 1;
    // The second request of a connection never gets an answer.
    if (sockets.has(request.socket)) {
      closed += 1;
      request.socket.resetAndDestroy();
      return;
    }
    sockets.add(request.socket);
    response.end(JSON.stringify({ image: { id: 'one', name: 'one' } }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const images = imageClient({ servers: [`127.0.0.1:${port}`], clock: systemClock, log: silentLogger });
  const update = () => images.update(adminContext(), 'one', {});
  while (closed === 0) expect(await update()).toMatchObject({ id: 'one' });
  closed = 0;
  const create = async () => {
    asked = 0;
    return images.create(adminContext(), {}).then(
      () => 'made',
      (error: Error) => error.name,
    );
  };
  let said = 'made';
  while (said === 'made') said = await create();
  expect([said, asked, closed]).toEqual(['GlanceConnectionFailed', 1, 1]);
  server.closeAllConnections();
  server.close();
});

it('asks once for an image that many want at once, and again for each whose turn failed', async () => {
  let asked = 0;
  const waiting: (() => void)[] = [];
  let status = 200;
  const server = createServer((_request, response) => {
    asked += 1;
    waiting.push(() => {
      response.writeHead(status, { 'x-image-meta-id': 'one', 'x-image-meta-status': 'active' }).end();
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const images = imageClient({ servers: [`127.0.0.1:${port}`], clock: systemClock, log: silentLogger });
  const many = (id: string) => Array.from({ length: 20 }, () => images.show(adminContext(), id));

  const good = many('one');
  await expect.poll(() => waiting.length, { timeout: 30_000 }).toBe(1);
  for (const answer of waiting.splice(0)) answer();
  const shown = await Promise.all(good);
  expect(asked).toBe(1);
  expect(new Set(shown).size).toBe(20);

  status = 404;
  const bad = many('two').map(one => one.catch((error: Error) => error.name));
  await expect.poll(() => waiting.length, { timeout: 30_000 }).toBe(1);
  for (const answer of waiting.splice(0)) answer();
  await expect.poll(() => waiting.length, { timeout: 30_000 }).toBe(19);
  for (const answer of waiting.splice(0)) answer();
  expect(new Set(await Promise.all(bad))).toEqual(new Set(['ImageNotFound']));
  server.closeAllConnections();
  server.close();
});

it('lists in as few questions as glance allows, and gives the same array while glance says the same', async () => {
  const asked: string[] = [];
  let names = ['a', 'b'];
  /** What glance gives at most. */
  let most = 1_000;
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const query = new URL(request.url ?? '', 'http://glance').searchParams;
    const from = names.indexOf(query.get('marker') ?? '') + 1;
    const page = names.slice(from, from + Math.min(most, Number(query.get('limit'))));
    response.end(JSON.stringify({ images: page.map(name => ({ id: name, name })) }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const images = imageClient({ servers: [`127.0.0.1:${port}`], clock: systemClock, log: silentLogger });
  const listed = async (limit?: number) => {
    asked.length = 0;
    return images.list(adminContext(), limit === undefined ? {} : { limit });
  };
  const idsOf = (list: readonly { id: string }[]) => list.map(({ id }) => id);

  const first = await listed();
  expect(idsOf(first)).toEqual(['a', 'b']);
  expect(await listed()).toBe(first);
  expect(asked).toHaveLength(1);
  names = ['a', 'b', 'c'];
  expect(idsOf(await listed())).toEqual(['a', 'b', 'c']);
  expect(idsOf(await listed(2))).toEqual(['a', 'b']);
  expect(asked).toHaveLength(1);

  names = Array.from({ length: 2_345 }, (_, at) => `image-${at}`);
  expect(idsOf(await listed())).toEqual(names);
  expect(asked).toHaveLength(3);
  // One that gives less than it is asked for.
  most = 150;
  expect(idsOf(await listed())).toEqual(names);
  expect(idsOf(await listed(400))).toEqual(names.slice(0, 400));
  server.closeAllConnections();
  server.close();
});
