import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { remoteRegistry } from './remote.ts';

it('asks again where a kept connection has been closed, and says so where nobody answers', async () => {
  let closed = 0;
  let refuses = false;
  const sockets = new Set<unknown>();
  const server = createServer((request, response) => {
    // The second request of a connection never gets an answer.
    if (refuses || sockets.has(request.socket)) {
      closed += 1;
      request.socket.resetAndDestroy();
      return;
    }
    sockets.add(request.socket);
    response.end(JSON.stringify({ image: { id: 'one', name: 'one' } }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const registry = remoteRegistry({ host: '127.0.0.1', port, protocol: 'http' });
  const get = () => registry.get(null as never, 'one');
  for (let tries = 0; closed === 0 && tries < 1000; tries++) expect(await get()).toMatchObject({ id: 'one' });
  expect(closed).toBe(1);
  refuses = true;
  await expect(get()).rejects.toMatchObject({ status: 503 });
  registry.close();
  server.closeAllConnections();
  server.close();
});
