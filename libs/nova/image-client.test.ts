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
