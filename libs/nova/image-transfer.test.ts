import { createServer } from 'node:http';
import { type RequestContext, requestContext, systemClock, systemRandom } from '@folsom/core';
import { expect, it } from 'vitest';
import { imageClient } from './image-transfer.ts';

const context: RequestContext = requestContext({}, { clock: systemClock, random: systemRandom });

it('reads glance_api_servers as host:port and as URLs, and asks the next one when one is away', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(200, { 'x-image-meta-id': 'i', 'x-image-meta-status': 'active' }).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    for (const servers of [
      [`127.0.0.1:${port}`],
      [`http://127.0.0.1:${port}`],
      [`HTTP://127.0.0.1:${port}/`],
      ['http://127.0.0.1:1', `http://127.0.0.1:${port}`],
    ]) {
      expect(await imageClient({ servers }).show(context, 'i')).toMatchObject({ id: 'i', status: 'active' });
    }
    expect(asked).toEqual(Array(4).fill('/v1/images/i'));
    await expect(imageClient({ servers: ['http://127.0.0.1:1'] }).show(context, 'i')).rejects.toMatchObject({
      name: 'GlanceConnectionFailed',
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
